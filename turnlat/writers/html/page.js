"use strict";
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const missing = "–";

  /* Columns as they are stored: plain values, or distinct texts and which one each row has. */
  const reader = (column) =>
    Array.isArray(column) ? (row) => column[row] : (row) => column.texts[column.codes[row]];

  const rowsOf = (frame, choice) => {
    const names = Object.keys(frame.columns);
    const readers = names.map((name) => reader(frame.columns[name]));
    const rows = [];
    for (let row = 0; row < frame.length; row++) {
      if (choice !== null && frame.columns.choice[row] !== choice) continue;
      rows.push(Object.fromEntries(names.map((name, n) => [name, readers[n](row)])));
    }
    return rows;
  };

  /* Vega makes a chart narrower by what sticks out of it, but in the narrower one more does. */
  const PASSES = 8;
  const settle = async (view) => {
    for (let pass = 0, width = NaN; pass < PASSES && view.width() !== width; pass++) {
      width = view.width();
      await view.resize().runAsync();
    }
  };

  const views = new Map(), widths = new Map();
  const drawNow = async (element) => {
    const figure = page.figures[element.dataset.figure];
    const picker = document.querySelector(`[data-choice="${element.dataset.figure}"]`);
    const choice = picker ? Number(picker.value) : null;
    const datasets = Object.fromEntries(
      Object.entries(figure.data).map(([name, frame]) => [name, rowsOf(frame, choice)])
    );
    views.get(element)?.finalize();
    views.delete(element);
    delete element.dataset.drawn;
    const width = element.clientWidth;
    widths.set(element, width);
    const specification = { ...figure.specification, width, datasets };
    /* Vega-Lite warns of steps in a chart that fits its place, so rows become a height here. */
    const step = specification.height.step;
    if (step) specification.height = step * datasets.waits.length;
    const options = { actions: false, renderer: "svg", ast: true, defaultStyle: false,
      tooltip: { disableDefaultStyle: true } };
    const drawn = await vegaEmbed(element, specification, options);
    views.set(element, drawn);
    await settle(drawn.view);
    element.dataset.drawn = choice ?? "";
  };

  /* Drawing takes a while: of what is asked for meanwhile, the last is drawn after it, no other. */
  const asked = new Map(), drawing = new Map();
  const draw = (element) => {
    const number = (asked.get(element) ?? 0) + 1;
    asked.set(element, number);
    const before = drawing.get(element) ?? Promise.resolve();
    const done = before.catch(() => {}).then(() => {
      if (asked.get(element) === number) return drawNow(element);
    });
    drawing.set(element, done);
    return done;
  };

  const elements = [...document.querySelectorAll("[data-figure]")];
  const start = async () => {
    for (const element of elements) await draw(element);
    document.body.dataset.drawn = "all";
  };
  let resized = 0;
  addEventListener("resize", () => {
    clearTimeout(resized);
    resized = setTimeout(() => {
      elements.filter((element) => element.clientWidth !== widths.get(element)).forEach(draw);
    }, 100);
  });
  for (const picker of document.querySelectorAll("[data-choice]")) {
    const element = document.querySelector(`[data-figure="${picker.dataset.choice}"]`);
    picker.addEventListener("change", () => draw(element));
  }

  /* The turn table: what is searched and sorted is a list of row numbers. */
  const PAGE = 50;
  const turnTable = () => {
    const { columns, length } = page.turns;
    const get = columns.map((column) => reader(column.values));
    const table = document.getElementById("turn-table");
    const byId = (id) => document.getElementById(id);
    const at = (label) => columns.findIndex((column) => column.label === label);
    const waits = [at("wait"), at("total")].filter((n) => n >= 0);
    const waitOf = (row) => waits.map((n) => get[n](row)).find((value) => value !== null) ?? null;
    const texts = columns.map((column, n) => (column.kind === "number" ? -1 : n)).filter((n) => n >= 0);
    let searchable = null;
    let shown = Array.from({ length }, (_, row) => row);
    let sorted = waits[0] ?? 0, descending = true, first = 0;

    const number = (value) => Math.round(value).toLocaleString("en-US").replace(/^-0$/, "0");
    const textOf = (n, row) => {
      const value = get[n](row);
      if (value === null || value === undefined || value === "") return missing;
      return columns[n].kind === "number" ? number(value) : String(value);
    };
    /* A spare column does not print: paper does not scroll. */
    const classOf = (n) => columns[n].kind + (columns[n].spare ? " spare" : "");
    const cell = (tag, n, row) => {
      const element = document.createElement(tag);
      element.textContent = textOf(n, row);
      element.className = classOf(n);
      if (columns[n].kind !== "number") element.title = element.textContent;
      return element;
    };
    const show = () => {
      const rows = shown.slice(first, first + PAGE).map((row) => {
        const line = document.createElement("tr");
        columns.forEach((_, n) => line.append(cell("td", n, row)));
        return line;
      });
      table.tBodies[0].replaceChildren(...rows);
      byId("back").disabled = first === 0;
      byId("on").disabled = first + PAGE >= shown.length;
      const last = Math.min(first + PAGE, shown.length);
      byId("status").textContent = shown.length
        ? `${number(first + 1)}–${number(last)} of ${number(shown.length)} turns and speeches`
        : "no turn fits";
    };
    const sort = () => {
      const value = get[sorted], sign = descending ? -1 : 1;
      const order = columns[sorted].kind === "number"
        ? (a, b) => a - b
        : (a, b) => (a < b ? -1 : a > b ? 1 : 0);
      shown.sort((a, b) => {
        const x = value(a) ?? null, y = value(b) ?? null;
        if (x === null || y === null) return (x === null) - (y === null) || a - b;
        return sign * order(x, y) || a - b;
      });
      [...table.tHead.rows[0].cells].forEach((head, n) => {
        head.removeAttribute("aria-sort");
        head.querySelector("span").textContent = n === sorted ? (descending ? "\u00a0▼" : "\u00a0▲") : "";
        if (n === sorted) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      });
      first = 0;
      show();
    };
    const filter = () => {
      searchable ??= Array.from({ length }, (_, row) =>
        texts.map((n) => get[n](row) ?? "").join("\n").toLowerCase());
      const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
      const outcome = byId("outcome").value, least = Number(byId("least").value) || 0;
      shown = [];
      for (let row = 0; row < length; row++) {
        if (outcome && get[at("outcome")](row) !== outcome) continue;
        if (least && !(waitOf(row) >= least)) continue;
        if (words.every((word) => searchable[row].includes(word))) shown.push(row);
      }
      sort();
    };

    const heads = document.createElement("tr");
    columns.forEach((column, n) => {
      const head = document.createElement("th"), button = document.createElement("button");
      head.scope = "col";
      head.className = classOf(n);
      button.type = "button";
      button.textContent = column.label;
      const sign = document.createElement("span");
      sign.setAttribute("aria-hidden", "true");
      button.append(sign);
      button.addEventListener("click", () => {
        descending = n === sorted ? !descending : column.kind === "number";
        sorted = n;
        sort();
      });
      head.append(button);
      heads.append(head);
    });
    table.tHead.append(heads);
    const outcomes = new Set(Array.from({ length }, (_, row) => get[at("outcome")](row)));
    byId("outcome").append(...[...outcomes].sort().map((name) => new Option(name, name)));
    let waiting = 0;
    byId("search").addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(filter, 120);
    });
    byId("outcome").addEventListener("change", filter);
    byId("least").addEventListener("input", filter);
    byId("back").addEventListener("click", () => { first -= PAGE; show(); });
    byId("on").addEventListener("click", () => { first += PAGE; show(); });
    sort();
  };
  if (page.turns && page.turns.length) turnTable();
  start();
})();
