'use strict';
(() => {
  const root = document.documentElement;
  const all = (css, from) => [...(from || document).querySelectorAll(css)];
  const one = (css, from) => (from || document).querySelector(css);
  const clean = text => String(text).replace(/[\t\r\n]/g, ' ');

  // Light and dark: what the system says, until the reader says otherwise.
  const button = one('#theme');
  const system = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => root.dataset.theme ? root.dataset.theme === 'dark' : system.matches;
  const label = () => {
    button.textContent = isDark() ? 'Light' : 'Dark';
    button.setAttribute('aria-label', 'Change to ' + (isDark() ? 'light' : 'dark') + ' colours');
  };
  button.hidden = false;
  button.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    label();
  });
  system.addEventListener('change', label);
  label();

  const say = (place, text) => {
    const before = place.textContent;
    place.textContent = text;
    setTimeout(() => { if (place.textContent === text) place.textContent = before; }, 2000);
  };
  const copy = (text, button) => {
    const done = () => say(button, 'Copied');
    const by_hand = () => {
      const area = document.createElement('textarea');
      area.value = text;
      area.setAttribute('aria-hidden', 'true');
      area.style.cssText = 'position:fixed;top:0;opacity:0';
      document.body.append(area);
      area.select();
      const went = document.execCommand('copy');
      area.remove();
      button.focus();
      if (went) done(); else say(button, 'Not allowed');
    };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, by_hand);
    else by_hand();
  };
  const save = (blob, name) => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  // Tables: the first rows are in the page, all of them in the data.
  const table = data => {
    const box = one('[data-table="' + data.id + '"]');
    if (!box) return;
    const body = one('tbody', box), heads = all('th', box), more = one('[data-do=more]', box);
    const input = one('input', box), count = one('.count', box);
    let order = data.rows.map((_, i) => i), shown = data.shown, sorted = -1, up = true, words = [];
    const text = (value, c) => value === null ? '–'
      : typeof value === 'number' ? value.toFixed(data.digits[c] || 0).replace('-', '−') : value;
    const plain = (value, c) => value === null ? 'NA'
      : typeof value === 'number' ? value.toFixed(data.digits[c] || 0) : clean(value);
    const has = row => words.every(word => row.some((value, c) => text(value, c).toLowerCase().includes(word)));
    const draw = () => {
      const rows = order.map(i => data.rows[i]).filter(has);
      body.replaceChildren(...rows.slice(0, shown).map(row => {
        const line = document.createElement('tr');
        row.forEach((value, c) => {
          const cell = line.insertCell();
          cell.textContent = text(value, c);
          if (data.digits[c] !== null) cell.className = 'n';
          else if (cell.textContent.length > 24) cell.className = 'w';
        });
        return line;
      }));
      const of = words.length ? rows.length + ' of ' + data.rows.length : data.rows.length;
      const cut = rows.length > shown ? ', the first ' + shown + ' shown' : '';
      count.textContent = of + (data.rows.length === 1 ? ' row' : ' rows') + cut;
      const left = Math.min(rows.length - shown, 1000);
      more.hidden = left <= 0;
      more.textContent = rows.length - shown <= 1000 ? 'Show all ' + rows.length + ' rows' : 'Show 1000 more rows';
      return rows;
    };
    const compare = (a, b) => typeof a === 'number' && typeof b === 'number' ? a - b
      : typeof a === 'number' ? -1 : typeof b === 'number' ? 1
        : String(a).localeCompare(String(b), 'en', { numeric: true });
    const sort = c => {
      up = sorted === c ? !up : data.digits[c] === null || c === 0;
      sorted = c;
      const value = i => data.rows[i][c];
      order.sort((i, j) => {
        const [a, b] = [value(i), value(j)];
        if (a === null || b === null) return a === b ? i - j : a === null ? 1 : -1; // what is missing stands last
        return (up ? compare(a, b) : compare(b, a)) || i - j;
      });
      heads.forEach((head, i) => {
        if (i === c) head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
        else head.removeAttribute('aria-sort');
      });
      draw();
    };
    heads.forEach((head, c) => {
      const by = document.createElement('button');
      by.type = 'button';
      by.append(...head.childNodes);
      head.append(by);
      by.addEventListener('click', () => sort(c));
    });
    let waiting;
    input.addEventListener('input', () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
        draw();
      }, 80);
    });
    more.addEventListener('click', () => { shown += 1000; draw(); });
    const tsv = () => [data.columns.map(clean).join('\t'), ...order.map(i => data.rows[i]).filter(has)
      .map(row => row.map(plain).join('\t'))].join('\n') + '\n';
    one('[data-do=copy]', box).addEventListener('click', event => copy(tsv(), event.currentTarget));
    one('[data-do=tsv]', box).addEventListener('click', () =>
      save(new Blob([tsv()], { type: 'text/tab-separated-values' }), data.id + '.tsv'));
    one('.tools', box).hidden = false;
    one('.find', box).hidden = data.rows.length <= 12; // few rows are found at a look
    draw();
  };
  all('script.data').forEach(script => table(JSON.parse(script.textContent)));

  all('.copied').forEach(box => {
    const button = one('button', box);
    button.hidden = false;
    button.addEventListener('click', () => copy(one('[data-text]', box).textContent, button));
  });

  // Figures: what is under the pointer, a name to find, and downloads.
  const tip = one('#tip');
  const hide = () => { tip.hidden = true; };
  const show = (mark, x, y) => {
    tip.textContent = mark.dataset.tip || mark.dataset.name;
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(x + 12, innerWidth - width - 4)) + 'px';
    tip.style.top = (y - height - 10 > 0 ? y - height - 10 : y + 16) + 'px';
  };
  addEventListener('scroll', hide, { passive: true, capture: true });
  addEventListener('keydown', event => { if (event.key === 'Escape') hide(); });

  const standing = svg => {
    // Variables become the colours that they have now, so that the file stands alone.
    const style = getComputedStyle(svg);
    let text = new XMLSerializer().serializeToString(svg);
    text = text.replace(/var\((--c\d+)\)/g, (_, name) => style.getPropertyValue(name).trim() || '#000');
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + text + '\n';
  };
  const size = svg => {
    const box = svg.viewBox.baseVal, own = svg.getBoundingClientRect();
    return box && box.width ? [box.width, box.height] : [own.width, own.height];
  };
  const png = (svg, name) => {
    const [width, height] = size(svg);
    const scale = Math.max(2400 / width, 1);
    const twin = svg.cloneNode(true);
    twin.setAttribute('width', width * scale);
    twin.setAttribute('height', height * scale);
    twin.setAttribute('style', svg.getAttribute('style') || '');
    const style = getComputedStyle(svg);
    const text = new XMLSerializer().serializeToString(twin)
      .replace(/var\((--c\d+)\)/g, (_, key) => style.getPropertyValue(key).trim() || '#000');
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement('canvas');
      canvas.width = width * scale;
      canvas.height = height * scale;
      const pen = canvas.getContext('2d');
      pen.fillStyle = getComputedStyle(document.body).backgroundColor;
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob(blob => save(blob, name + '.png'), 'image/png');
    };
    image.src = 'data:image/svg+xml;charset=utf-8,' + encodeURIComponent(text);
  };
  all('figure[data-figure]').forEach(figure => {
    const name = figure.dataset.figure;
    const drawing = () => all('.drawing', figure).find(part => part.offsetParent !== null) || one('.drawing', figure);
    const svg = () => one('svg', drawing());
    // The browser's own tip would come late and a second time.
    all('svg title', figure).forEach(title => {
      const mark = title.parentElement;
      if (mark.tagName.toLowerCase() === 'svg') { title.remove(); return; }
      if (!mark.dataset.name) mark.dataset.name = title.textContent;
      mark.dataset.tip = title.textContent;
      title.remove();
    });
    const named = all('[data-name]', figure);
    if (named.length) {
      const plot = one('.plot', figure), field = one('.named', figure), input = one('input', field);
      const count = one('.count', figure);
      field.hidden = false;
      plot.addEventListener('pointermove', event => {
        const mark = event.target.closest('[data-name]');
        if (mark) show(mark, event.clientX, event.clientY); else hide();
      });
      plot.addEventListener('pointerdown', event => {
        const mark = event.target.closest('[data-name]');
        if (mark) show(mark, event.clientX, event.clientY);
      });
      plot.addEventListener('pointerleave', hide);
      input.addEventListener('input', () => {
        const word = input.value.trim().toLowerCase();
        all('.found', figure).forEach(mark => mark.classList.remove('found'));
        hide();
        count.textContent = '';
        if (!word) return;
        const here = all('[data-name]', drawing());
        const exact = here.filter(mark => mark.dataset.name.toLowerCase().split(/[\s,:(]/)[0] === word);
        const found = exact.length ? exact : here.filter(mark => mark.dataset.name.toLowerCase().includes(word));
        found.forEach(mark => { mark.classList.add('found'); mark.parentNode.append(mark); });
        const names = [...new Set(found.map(mark => mark.dataset.name))];
        count.textContent = !names.length ? 'not in this figure' : names.slice(0, 3).join('; ') + (names.length > 3 ? '; …' : '');
        if (names.length === 1) {
          const box = found[0].getBoundingClientRect();
          show(found[0], box.x + box.width / 2, box.y);
        }
      });
    }
    one('[data-do=svg]', figure).addEventListener('click', () =>
      save(new Blob([standing(svg())], { type: 'image/svg+xml' }), name + '.svg'));
    one('[data-do=png]', figure).addEventListener('click', () => png(svg(), name));
    one('.tools', figure).hidden = false;
  });
})();
