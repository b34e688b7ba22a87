#!/usr/bin/env python3
"""Checks the site that scripts/site.sh builds: every link within it leads to a page and a heading that are there, every page of docs/ is in it, and in
headless Chromium the pages load without an error, none is wider than a screen or a phone, and the search finds what it should. Python's standard
library; without Chromium that part is left out, and said.

    python3 scripts/check_site.py target/site
"""

import functools
import html.parser
import http.server
import pathlib
import re
import shutil
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from check_report import Browser  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What a reader types, and the page that must be among the first results.
SEARCHES = {"uniqueness": "landmarks", "until": "how-to/choose-n", "safetensors": "reference/files", "checkpoint": "reliability"}


WIDTHS = (1280, 375)  # px


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.anchors, self.text = [], set(), ""
        self.feed(text)

    def handle_data(self, text):
        self.text += text

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors.update(filter(None, (attributes.get("id"), attributes.get("name"))))
        for key in ("href", "src"):
            if attributes.get(key):
                self.links.append(attributes[key])


def links(site):
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html")) if path.name not in ("print.html", "404.html", "toc.html")}
    wrong, checked = [], 0
    for path, page in pages.items():
        # Two hyphens before an option that became a dash.
        for option in re.findall(r"(?:^|[\s(])([–—][a-z][a-z-]*)", page.text):
            wrong.append(f"{path.relative_to(site)}: {option} is no option")
        for link in page.links:
            address = urllib.parse.urlsplit(link)
            if address.scheme or address.netloc or not (address.path or address.fragment):
                continue
            checked += 1
            target = (path.parent / urllib.parse.unquote(address.path)).resolve() if address.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                wrong.append(f"{path.relative_to(site)}: {link} leads nowhere")
            elif address.fragment and target in pages and urllib.parse.unquote(address.fragment) not in pages[target].anchors:
                wrong.append(f"{path.relative_to(site)}: {link}: there is no such heading")
    return pages, wrong, checked


def missing(site):
    """Pages of docs/ that the summary forgot."""
    docs = ROOT / "docs"
    for path in sorted(docs.rglob("*.md")):
        made = path.relative_to(docs).with_suffix(".html")
        made = made.with_name("index.html") if path.name == "README.md" else made
        if path.name != "SUMMARY.md" and not (site / made).is_file():
            yield f"docs/{path.relative_to(docs)} is not in docs/SUMMARY.md"


def evaluated(browser, expression):
    told = browser.call("Runtime.evaluate", expression=expression, returnByValue=True)
    return told.get("result", {}).get("value")


def opened(browser, site, pages):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}/"
    for path in pages:
        browser.call("Page.navigate", url=base + str(path.relative_to(site)))
        if not waited(browser, "document.readyState == 'complete' && document.querySelector('main h1') ? 1 : 0"):
            yield f"{path.relative_to(site)}: does not load"
        for width in WIDTHS:
            browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
            wide = evaluated(browser, "document.documentElement.scrollWidth")
            if wide > width:
                yield f"{path.relative_to(site)}: {wide} px wide in a window of {width}"
    for words, page in SEARCHES.items():
        browser.call("Page.navigate", url=base + "start.html?search=" + urllib.parse.quote(words))
        results = "[...document.querySelectorAll('#mdbook-searchresults a, #searchresults a')].map(a => a.href).join(' ')"
        if not waited(browser, results):
            yield f"searching {words} finds nothing"
        elif page + ".html" not in evaluated(browser, results):
            yield f"searching {words} does not find {page}: {evaluated(browser, results)}"
    for event in browser.events:
        if event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
            yield f"the console says: {event['params']['entry']['text']} {event['params']['entry'].get('url', '')}"
        if event.get("method") == "Runtime.exceptionThrown":
            yield f"a script fails: {event['params']['exceptionDetails'].get('text')}"
    server.shutdown()


def waited(browser, expression, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = evaluated(browser, expression)
        if value:
            return value
        time.sleep(0.05)
    return None


def main():
    site = pathlib.Path(sys.argv[1]).resolve()
    pages, wrong, checked = links(site)
    wrong += missing(site)
    print(f"{len(pages)} pages, {checked} links within the site")
    if any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        with tempfile.TemporaryDirectory() as folder:
            browser = Browser(folder)
            try:
                wrong += opened(browser, site, pages)
            finally:
                browser.close()
        print(f"every page opened in a browser at {' and '.join(map(str, WIDTHS))} px, {len(SEARCHES)} searches")
    else:
        print("check_site: NOT RUN: no Chromium, so no page was opened and the search not tried")
    if wrong:
        sys.exit("\n".join(dict.fromkeys(wrong)))


if __name__ == "__main__":
    main()
