// Live charts, sortable tables and the ranking's filters. Without this file every page shows the same data, static.
(() => {
  "use strict";
  const assets = new URL(".", document.currentScript.src);
  let vega, palette;
  const specs = new Map();
  const views = new Map();

  const dark = () => document.body.dataset.mdColorScheme === "slate";

  function loadVega() {
    vega ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = new URL("vega.js", assets);
      script.onload = () => done(window.vegaEmbed);
      script.onerror = () => failed(new Error("vega.js cannot be loaded"));
      document.head.append(script);
    });
    palette ??= fetch(new URL("palette.json", assets)).then((r) => r.json());
    return Promise.all([vega, palette]);
  }

  function themed(text, colours) {
    if (!dark()) return text;
    return text.replace(/#[0-9a-f]{6}/gi, (c) => colours[c.toLowerCase()] ?? c);
  }

  async function draw(box) {
    const url = new URL(box.dataset.spec, location.href).href;
    if (!specs.has(url)) {
      specs.set(url, fetch(url).then((r) => {
        if (!r.ok) throw new Error(`${r.status} ${url}`);
        return r.text();
      }));
    }
    try {
      const [[embed, colours], text] = await Promise.all([loadVega(), specs.get(url)]);
      const spec = JSON.parse(themed(text, colours));
      // a phone has no room for the drawn legend: the figure has one in text
      if (box.clientWidth < 480) {
        for (const part of [spec, ...(spec.layer ?? [])]) {
          if (part.encoding?.color?.field) part.encoding.color.legend = null;
          const axis = part.encoding?.y?.axis;
          if (axis?.labelLimit > 190) axis.labelLimit = 190;
        }
        spec.config.axis.labelFontSize = 11;
      }
      const live = document.createElement("div");
      live.className = "wc-live wc-drawing";
      box.append(live);
      const { view, finalize } = await embed(live, spec, { actions: false, renderer: "svg", tooltip: { theme: dark() ? "dark" : "light" } });
      views.get(box)?.finalize();
      box.querySelectorAll(".wc-live").forEach((e) => e !== live && e.remove());
      live.classList.remove("wc-drawing");
      box.classList.add("wc-drawn");
      views.set(box, { view, finalize });
      box.dispatchEvent(new CustomEvent("wc:drawn"));
    } catch (error) {
      // the static drawing stays; a page read from disk cannot fetch
      box.querySelectorAll(".wc-drawing").forEach((e) => e.remove());
      if (location.protocol !== "file:") console.warn("chart stays static:", error.message);
    }
  }

  function charts() {
    const boxes = [...document.querySelectorAll(".wc-chart[data-spec]")];
    if (!boxes.length) return;
    const near = new IntersectionObserver((entries) => {
      for (const e of entries) {
        if (e.isIntersecting) {
          near.unobserve(e.target);
          draw(e.target);
        }
      }
    }, { rootMargin: "400px" });
    boxes.forEach((b) => near.observe(b));
  }

  new MutationObserver(() => {
    for (const box of [...views.keys()]) box.isConnected ? draw(box) : views.delete(box);
  }).observe(document.body, { attributes: true, attributeFilter: ["data-md-color-scheme"] });

  // tables

  const value = (row, i) => {
    const cell = row.cells[i];
    const text = cell?.dataset.v ?? cell?.textContent.trim() ?? "";
    const number = Number(text.replace(/[\u202f\u00a0,%]/g, ""));
    return text !== "" && !Number.isNaN(number) ? number : text.toLowerCase();
  };

  function sortBy(table, index, descending) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    rows.sort((a, b) => {
      const [x, y] = [value(a, index), value(b, index)];
      const order = typeof x === typeof y ? (x < y ? -1 : x > y ? 1 : 0) : typeof x === "number" ? -1 : 1;
      return descending ? -order : order;
    });
    body.append(...rows);
    [...table.tHead.rows[0].cells].forEach((th, i) => {
      i === index ? th.setAttribute("aria-sort", descending ? "descending" : "ascending") : th.removeAttribute("aria-sort");
    });
  }

  function sortable(table) {
    if (table.dataset.ready) return;
    table.dataset.ready = "1";
    [...table.tHead.rows[0].cells].forEach((th, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "wc-sort";
      button.append(...th.childNodes);
      th.append(button);
      button.addEventListener("click", () => {
        const descending = th.getAttribute("aria-sort") === "ascending";
        sortBy(table, i, descending);
        table.dispatchEvent(new CustomEvent("wc:sorted", { detail: { index: i, descending } }));
      });
    });
  }

  // the ranking: what is shown is what the address says

  function ranking(root) {
    if (root.dataset.ready) return;
    root.dataset.ready = "1";
    const form = root.querySelector("form.wc-filters");
    const table = root.querySelector("table.wc-ranking");
    const box = root.querySelector(".wc-chart");
    const rowHeight = Number(root.dataset.rowHeight);
    const status = root.querySelector(".wc-status");
    const rows = [...table.tBodies[0].rows].map((tr) => ({ tr, data: JSON.parse(tr.dataset.row) }));
    const heads = [...table.tHead.rows[0].cells].map((th) => th.dataset.key);
    const inputs = [...form.elements].filter((e) => e.name);
    form.hidden = false;

    function read() {
      const query = new URLSearchParams(location.search);
      for (const input of inputs) {
        const wanted = query.getAll(input.name);
        input.checked = input.type === "radio" && !wanted.length ? input.defaultChecked : wanted.includes(input.value);
      }
      // an unknown model in the address is no model: fall back to the first
      if (!form.querySelector("[name=model]:checked")) inputs.find((i) => i.name === "model").checked = true;
      const [key, direction] = (query.get("sort") ?? "latency").split("-");
      return { key: heads.includes(key) ? key : "latency", descending: direction === "down" };
    }

    let order = read();

    function write() {
      const query = new URLSearchParams();
      for (const input of inputs) {
        if (input.checked && !(input.type === "radio" && input.defaultChecked)) query.append(input.name, input.value);
      }
      if (order.key !== "latency" || order.descending) query.set("sort", order.key + (order.descending ? "-down" : ""));
      const text = query.toString();
      history.pushState(null, "", text ? `?${text}` : location.pathname);
    }

    function shown() {
      const chosen = (name) => inputs.filter((i) => i.name === name && i.checked).map((i) => i.value);
      const filters = ["model", "kernels", "core"].map((name) => [name, chosen(name)]).filter(([, v]) => v.length);
      return rows.filter(({ data }) => filters.every(([name, values]) => values.includes(data[name])));
    }

    function show() {
      const visible = shown();
      for (const { tr } of rows) tr.hidden = true;
      for (const { tr, data } of visible) {
        tr.hidden = false;
        const best = 1 + visible.filter((o) => o.data.high < data.low).length;
        const worst = visible.filter((o) => o.data.low <= data.high).length;
        const cell = tr.querySelector(".wc-rank");
        cell.textContent = best === worst ? `${best}` : `${best}\u2013${worst}`;
        cell.dataset.v = best;
      }
      status.textContent = visible.length ? `${visible.length} of ${rows.length} runs shown` : "No run matches these filters.";
      sortBy(table, heads.indexOf(order.key), order.descending);
      feed(visible);
    }

    function feed(visible) {
      const state = views.get(box);
      box.classList.toggle("wc-empty", !visible.length);
      if (!state || !visible.length) return;
      const bars = visible.map(({ data }) => ({ ...data }));
      state.view.data("ranking", bars).height(rowHeight * Math.max(bars.length, 1)).runAsync().then(() => {
        box.dataset.rows = visible.length;
      });
    }

    box?.addEventListener("wc:drawn", () => feed(shown()));
    form.addEventListener("change", () => { write(); show(); });
    form.addEventListener("submit", (e) => e.preventDefault());
    form.addEventListener("reset", () => setTimeout(() => { order = { key: "latency", descending: false }; write(); show(); }));
    table.addEventListener("wc:sorted", (e) => {
      order = { key: heads[e.detail.index], descending: e.detail.descending };
      write();
    });
    window.addEventListener("popstate", () => { order = read(); show(); });
    show();
  }

  // a link to a closed entry opens it, and all it lies in
  function reveal() {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) {
      for (let e = target; e; e = e.parentElement?.closest("details")) e.open = true;
      target.scrollIntoView();
    }
  }
  window.addEventListener("hashchange", reveal);

  function page() {
    reveal();
    document.querySelectorAll("table.wc-sortable").forEach(sortable);
    document.querySelectorAll(".wc-ranking-root").forEach(ranking);
    charts();
  }

  // Material swaps pages without a reload when instant navigation is on, and says so through this stream
  if (window.document$) window.document$.subscribe(page);
  else if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", page);
  else page();
})();
