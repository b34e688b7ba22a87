#!/usr/bin/env python3
"""Opens a run's page in headless Chromium and uses it as a reader would.

    python3 scripts/check_report.py runs/brca/report.html [--shots DIR]

Needs Python's standard library and Chromium (`apt-get install chromium`; CHROMIUM names another binary), which it speaks
to over --remote-debugging-pipe. Checked at 375 and 1280 px, in light and dark: no error on the console, no request that
leaves the file, nothing wider than the window, contrast of every text (WCAG 2 AA), every control reached by Tab with a
focus that is seen, sorting, filtering, copying, downloads of TSV, SVG and PNG, what is told under the pointer, printing.
"""

import argparse
import base64
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

MOST_BYTES = 5_000_000
PATIENCE = 60


class Browser:
    """Chromium, spoken to by JSON over two pipes (the DevTools protocol)."""

    def __init__(self, folder):
        binary = os.environ.get("CHROMIUM") or next(
            filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if not binary:
            sys.exit("check_report: no Chromium; apt-get install chromium, or name one in CHROMIUM")
        theirs_in, self.to = os.pipe()
        self.back, theirs_out = os.pipe()

        def pipes():
            # by way of high numbers, so that neither is closed by the other
            a, b = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(a, 3)
            os.dup2(b, 4)

        command = [binary, "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--hide-scrollbars",
                   "--no-first-run", "--disable-dev-shm-usage", f"--user-data-dir={folder}/profile", "about:blank"]
        if os.geteuid() == 0:
            command.insert(1, "--no-sandbox")
        self.process = subprocess.Popen(command, preexec_fn=pipes, pass_fds=(3, 4), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(theirs_in)
        os.close(theirs_out)
        self.number, self.buffer, self.events, self.session = 0, b"", [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(domain + ".enable")

    def message(self, until):
        while b"\0" not in self.buffer:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError("Chromium does not answer")
            if select.select([self.back], [], [], left)[0]:
                part = os.read(self.back, 1 << 20)
                if not part:
                    raise EOFError("Chromium went away")
                self.buffer += part
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self.session
        text = json.dumps(message).encode() + b"\0"
        while text:
            text = text[os.write(self.to, text):]
        until = time.monotonic() + PATIENCE
        while True:
            answer = self.message(until)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method):
        until = time.monotonic() + PATIENCE
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.message(until))

    def run(self, script):
        """What a script of the page returns; a promise is awaited."""
        answer = self.call("Runtime.evaluate", expression=f"(async () => {{ {script} }})()", awaitPromise=True,
                           returnByValue=True, userGesture=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def open(self, url, width, scheme):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", media="", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events = []
        self.call("Page.navigate", url=url)
        self.wait("Page.loadEventFired")

    def key(self, key, code, text=None):
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **extra)

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


class Checks:
    def __init__(self):
        self.passed, self.failed = 0, []

    def __call__(self, what, holds, found=""):
        if holds:
            self.passed += 1
        else:
            self.failed.append(f"{what}: {found}" if found != "" else what)


# Contrast of every text that is seen, by WCAG 2.2: 4.5, or 3 for large text.
CONTRAST = r"""
const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const parse = text => { const n = (text.match(/[\d.]+/g) || []).map(Number); return n.length < 3 ? null : n.length < 4 ? [...n, 1] : n; };
const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3]));
const ground = element => {
  const layers = [];
  for (let e = element; e; e = e.parentElement) {
    let colour = null;
    if (e.tagName === 'svg') {
      const box = e.getBoundingClientRect();
      const all = [...e.querySelectorAll('rect')].find(rect => {
        const own = rect.getBoundingClientRect();
        return own.width >= 0.98 * box.width && own.height >= 0.98 * box.height;
      });
      colour = all && parse(getComputedStyle(all).fill);
    } else colour = parse(getComputedStyle(e).backgroundColor);
    if (colour && colour[3] > 0) { layers.push(colour); if (colour[3] === 1) break; }
  }
  return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
};
const bad = new Map();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node; node = walker.nextNode();) {
  const element = node.parentElement;
  if (!node.data.trim() || !element.checkVisibility() || ['SCRIPT', 'STYLE', 'title'].includes(element.tagName)) continue;
  if (element.closest('.unseen, .skip, #tip')) continue;
  const style = getComputedStyle(element), drawn = element.closest('svg');
  const ink = parse(drawn ? style.fill : style.color);
  if (!ink) continue;
  const below = ground(element), text = over(ink, below);
  const [a, b] = [luminance(text), luminance(below)].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05), size = parseFloat(style.fontSize);
  const large = size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700;
  if (ratio < (large ? 3 : 4.5)) bad.set(element.tagName + ' ' + ratio.toFixed(2), node.data.trim().slice(0, 40));
}
return [...bad].slice(0, 8).map(([where, text]) => where + ' "' + text + '"');
"""

CONTROLS = """
return [...document.querySelectorAll('a[href], button, input, [tabindex="0"]')]
  .filter(e => e.checkVisibility() && !e.closest('.skip')).length;
"""


def complaints(browser, url):
    """Errors of the console and requests that leave the page."""
    errors, requests = [], []
    for event in browser.events:
        method, params = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            errors.append(params["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            errors.append(str([arg.get("value") for arg in params["args"]]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            errors.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            address = params["request"]["url"]
            if address != url and not address.startswith(("data:", "blob:")):
                requests.append(address)
    return errors, requests


def keyboard(browser, check, place):
    controls = browser.run(CONTROLS)
    browser.run("document.activeElement?.blur(); scrollTo(0, 0);")
    seen, unseen = set(), []
    for _ in range(controls + 5):
        browser.key("Tab", 9)
        at = browser.run("""
            const e = document.activeElement;
            if (!e || e === document.body) return null;
            if (!e.dataset.seen) e.dataset.seen = ++window.seen || (window.seen = 1);
            return [e.dataset.seen, getComputedStyle(e).outlineStyle, e.tagName + ' ' + e.textContent.slice(0, 30)];""")
        if at is None:
            continue
        seen.add(at[0])
        if at[1] == "none":
            unseen.append(at[2])
    check(f"{place}: Tab reaches every control", len(seen) >= controls, f"{len(seen)} of {controls}")
    check(f"{place}: the focus is seen", not unseen, unseen[:3])


def downloaded(folder, name):
    time.sleep(0.2)  # Chromium refuses more than ten downloads a second
    path, until = folder / name, time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if path.exists() and not list(folder.glob("*.crdownload")):
            return path.read_bytes()
        time.sleep(0.05)
    return b""


def tables(browser, check, folder):
    box = "document.querySelector('[data-table=landmarks]')"
    rows = f"[...{box}.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.textContent))"
    if not browser.run(f"return !!{box}"):
        check("there is a table of landmarks", False)
        return
    before = browser.run(f"return {rows}")
    # the second column of numbers, by the keyboard
    number = browser.run(f"return [...{box}.querySelectorAll('th')].findIndex((th, i) => i && th.className === 'n')")
    browser.run(f"{box}.querySelectorAll('th button')[{number}].focus()")
    browser.key("Enter", 13, "\r")
    after = [row[number] for row in browser.run(f"return {rows}")]
    values = [float(text.replace("−", "-")) for text in after if text != "–"]
    check("sorting by Enter", values == sorted(values, reverse=True) and len(values) > 1, values[:5])
    sort = browser.run(f"return {box}.querySelectorAll('th')[{number}].getAttribute('aria-sort')")
    check("the order is told", sort == "descending", sort)
    browser.run(f"{box}.querySelectorAll('th button')[{number}].click()")
    values = [float(row[number].replace("−", "-")) for row in browser.run(f"return {rows}")]
    check("sorting the other way", values == sorted(values), values[:5])

    name = before[0][1]
    browser.run(f"{box}.querySelector('input').focus()")
    browser.call("Input.insertText", text=name.lower())
    time.sleep(0.3)
    found = browser.run(f"return {rows}")
    check("filtering", found and all(name.lower() in " ".join(row).lower() for row in found) and len(found) < len(before) + 1, found[:2])
    browser.run(f"{box}.querySelector('[data-do=copy]').focus()")
    browser.key("Enter", 13, "\r")
    time.sleep(0.3)
    copied = browser.run("return navigator.clipboard.readText()")
    check("copying what is filtered", copied.count("\n") == len(found) + 1 and name in copied, copied[:80])
    browser.run(f"{box}.querySelector('[data-do=tsv]').click()")
    tsv = downloaded(folder, "landmarks.tsv").decode()
    check("the table downloads", tsv == copied and tsv.count("\t") > 0, tsv[:80])
    browser.run(f"const i = {box}.querySelector('input'); i.value = ''; i.dispatchEvent(new Event('input'));")
    time.sleep(0.3)
    browser.run(f"const more = {box}.querySelector('[data-do=more]'); if (!more.hidden) more.click();")
    everything = len(browser.run(f"return {rows}"))
    data = browser.run("return JSON.parse([...document.querySelectorAll('script.data')].find(s => s.textContent.includes("
                       "'\"id\":\"landmarks\"')).textContent).rows.length")
    check("all rows can be shown", everything == min(data, 1020), f"{everything} of {data}")
    text = browser.run("const b = document.querySelector('.copied button'); b.click(); await new Promise(r => setTimeout(r, 200));"
                       "return [await navigator.clipboard.readText(), b.closest('.copied').querySelector('[data-text]').textContent]")
    check("copying text", text[0] == text[1] and text[0], text)


def figures(browser, check, folder):
    names = browser.run("return [...document.querySelectorAll('figure[data-figure]')].map(f => f.dataset.figure)")
    check("there are figures", bool(names))
    for name in names:
        figure = f"document.querySelector('figure[data-figure=\"{name}\"]')"
        browser.run(f"{figure}.querySelector('[data-do=svg]').click()")
        svg = downloaded(folder, name + ".svg")
        try:
            root = xml.etree.ElementTree.fromstring(svg)
            holds = root.tag.endswith("svg") and b"var(--" not in svg
        except xml.etree.ElementTree.ParseError as error:
            holds, svg = False, str(error)
        check(f"figure {name} downloads as SVG", holds, svg[:80])
        browser.run(f"{figure}.querySelector('[data-do=png]').click()")
        png = downloaded(folder, name + ".png")
        check(f"figure {name} downloads as PNG", png.startswith(b"\x89PNG") and len(png) > 5000, len(png))
    mark = browser.run("""
        for (const mark of document.querySelectorAll('figure [data-name]')) {
          if (!mark.checkVisibility()) continue;
          mark.scrollIntoView({block: 'center', behavior: 'instant'});
          const box = mark.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
          const top = document.elementFromPoint(x, y)?.closest('[data-name]');
          if (top) return [x, y, top.dataset.tip || top.dataset.name];
        }""")
    check("some figure names what is in it", bool(mark))
    if mark:
        tip, until = None, time.monotonic() + 5
        while tip is None and time.monotonic() < until:  # what scrolls last hides it
            browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
            browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=mark[0], y=mark[1])
            time.sleep(0.1)
            tip = browser.run("const t = document.querySelector('#tip'); return t.hidden ? null : t.textContent")
        check("the name under the pointer is told", tip == mark[2], f"{tip} for {mark[2]}")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("page", type=pathlib.Path)
    arguments.add_argument("--shots", type=pathlib.Path, help="a folder for pictures of the page")
    arguments = arguments.parse_args()
    page, check = arguments.page.resolve(), Checks()
    check("under 5 MB", page.stat().st_size < MOST_BYTES, page.stat().st_size)
    url = page.as_uri()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        folder = pathlib.Path(folder)
        (folder / "downloads").mkdir()
        browser = Browser(folder)
        try:
            browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder / "downloads"))
            browser.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
            for width in (1280, 375):
                for scheme in ("light", "dark"):
                    place = f"{width} px, {scheme}"
                    browser.open(url, width, scheme)
                    wide = browser.run("return document.documentElement.scrollWidth")
                    check(f"{place}: nothing is wider than the window", wide <= width, wide)
                    bad = browser.run(CONTRAST)
                    check(f"{place}: contrast", not bad, bad)
                    ground = "return getComputedStyle(document.body).backgroundColor"
                    one = browser.run(ground)
                    other = browser.run(f"document.querySelector('#theme').click(); {ground}")
                    check(f"{place}: the switch changes the theme", one != other, one)
                    bad = browser.run(CONTRAST)
                    check(f"{place}: contrast after the switch", not bad, bad)
                    browser.run("document.querySelector('#theme').click()")
                    if arguments.shots:
                        arguments.shots.mkdir(exist_ok=True)
                        shot = browser.call("Page.captureScreenshot", captureBeyondViewport=True)
                        (arguments.shots / f"{width}-{scheme}.png").write_bytes(base64.b64decode(shot["data"]))
                    if scheme == "light":
                        keyboard(browser, check, place)
                    if (width, scheme) == (1280, "light"):
                        tables(browser, check, folder / "downloads")
                        figures(browser, check, folder / "downloads")
                    errors, requests = complaints(browser, url)
                    check(f"{place}: no error on the console", not errors, errors[:3])
                    check(f"{place}: no request leaves the file", not requests, requests[:3])
            browser.open(url, 1280, "dark")
            browser.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
            printed = browser.run("return [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('nav')).display]")
            head = browser.run("const th = document.querySelector('[data-table=stages] th'); return th.getBoundingClientRect().height > 5 &&"
                               "th.textContent && [...th.children].every(e => getComputedStyle(e).display !== 'none')")
            check("tables keep their headings on paper", bool(head), head)
            check("paper is white, without navigation", printed == ["rgb(255, 255, 255)", "none"], printed)
            pdf = base64.b64decode(browser.call("Page.printToPDF", printBackground=True)["data"])
            check("it prints", pdf.startswith(b"%PDF") and len(pdf) > 20_000, len(pdf))
            if arguments.shots:
                (arguments.shots / "print.pdf").write_bytes(pdf)
        finally:
            browser.close()
    for failure in check.failed:
        print(f"check_report: {failure}", file=sys.stderr)
    print(f"{arguments.page}: {check.passed} checks passed, {len(check.failed)} failed")
    sys.exit(bool(check.failed))


if __name__ == "__main__":
    main()
