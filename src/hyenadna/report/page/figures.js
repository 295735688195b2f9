// Figures: unpacked and drawn as they come near, in the theme's colours, at the width there is.
"use strict";

{
  const NEAR = "400px"; // from the view, where drawing begins
  const SHEET = { whole: 680, small: 320 }; // widths on paper
  const PAPER_FONT = "Arial, Helvetica, sans-serif"; // which programs that open a picture know
  const PAD = 6; // around a picture
  const SHARP = 3; // dots of a PNG a CSS pixel
  const CONFIG = { displayModeBar: false, scrollZoom: false, doubleClick: "reset", showTips: false, responsive: false };
  const palette = JSON.parse(document.getElementById("palette").textContent);
  const plots = [];
  const known = new Map(); // plot: what was unpacked for it, and how a reader has changed it

  const isAxis = (name) => /^[xy]axis\d*$/.test(name);
  function prepare(plot) {
    if (!window.Plotly) document.head.append(made("script", { textContent: unpack(document.getElementById("plotly").textContent) }));
    if (known.has(plot)) return;
    const packed = plot.parentElement.querySelector(".packed");
    const text = packed.type === "application/json" ? packed.textContent : unpack(packed.textContent);
    known.set(plot, { ...JSON.parse(text), ranges: {}, hidden: new Set() });
  }

  // Colours stand as "@name" where the theme has one for them.
  function coloured(of, colour, key = "") {
    if (Array.isArray(of)) return of.map((value) => coloured(value, colour, key));
    if (of && typeof of === "object") {
      return Object.fromEntries(Object.entries(of).map(([name, value]) => [name, coloured(value, colour, name)]));
    }
    return typeof of === "string" && of[0] === "@" && key.endsWith("color") ? colour(of.slice(1)) : of;
  }

  const onPaper = (name) => palette[name]?.[0] ?? { paper: "#ffffff", raised: "#ffffff" }[name];
  function onScreen() {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(`--${name}`).trim();
  }

  function render(plot, { paper = false } = {}) {
    const of = known.get(plot);
    const colour = paper ? onPaper : onScreen();
    const small = plot.closest(".small");
    const width = paper ? SHEET[small ? "small" : "whole"] : plot.parentElement.clientWidth;
    if (!width) return;
    const placed = fitting.fitted(of, width);
    const { layout } = placed;
    const family = fitting.family();
    Object.assign(layout, {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family, size: 12, color: colour("ink") },
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("soft"), align: "left", font: { family, size: 12.5, color: colour("ink") }, namelength: -1 },
    });
    const data = of.plot.data.map((trace) => (of.hidden.has(trace.legendgroup) ? { ...trace, visible: false } : trace));
    of.width = paper ? 0 : width; // from paper it is drawn anew
    plot.style.height = "";
    Plotly.react(plot, coloured(data, colour), coloured(layout, colour), CONFIG);
    if (!plot.dataset.drawn) {
      plot.dataset.drawn = "true";
      plot.on("plotly_relayout", (change) => zoomed(plot, change));
      linkRows(plot, of);
      plot.on("plotly_click", ({ points }) => points[0].customdata && toRow(points[0].customdata));
    }
    legends.show(plot, placed, of.hidden, () => render(plot));
    const reset = plot.closest("figure").querySelector("[data-do=reset]");
    if (reset) reset.hidden = !Object.keys(of.ranges).length;
  }

  // Marks may be of a row of a table, named as table/row.
  function toRow(of) {
    const [name, ...row] = of.split("/");
    const table = broughtToLight(() => document.querySelector(`table[data-name="${CSS.escape(name)}"]`), ` data-name="${name}"`);
    const head = [...(table?.querySelectorAll("tbody th") ?? [])].find((cell) => cell.firstChild.textContent.trim() === row.join("/"));
    if (!head) return;
    for (let fold = head.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    head.tabIndex = -1;
    head.focus();
    head.scrollIntoView({ block: "center" });
  }

  // The keyboard's way to what a click on a mark does.
  function linkRows(plot, of) {
    const rows = of.plot.data.flatMap((trace) => trace.customdata ?? []);
    if (!rows.length) return;
    const list = made("p", { className: "rows", textContent: "In the table:" });
    for (const row of rows) {
      const button = made("button", { type: "button", textContent: row.slice(row.indexOf("/") + 1) });
      button.addEventListener("click", () => toRow(row));
      list.append(button);
    }
    plot.closest("figure").querySelector(".files").after(list);
  }

  // Zoomed axes get new ticks where theirs are plain numbers.
  function zoomed(plot, change) {
    if (!Object.keys(change).some((key) => /^[xy]axis\d*\.(range|autorange)/.test(key))) return;
    const of = known.get(plot);
    of.ranges = {};
    for (const name of Object.keys(of.plot.layout).filter(isAxis)) {
      const [from, to] = [of.plot.layout[name].range, plot.layout[name].range];
      const moved = from.some((value, index) => Math.abs(value - to[index]) > 1e-6 * Math.abs(from[1] - from[0]));
      if (moved) of.ranges[name] = [...to];
    }
    render(plot);
  }

  function draw(plot, options) {
    try {
      prepare(plot);
      render(plot, options);
    } catch (error) {
      plot.textContent = `This browser cannot draw the figure (${error.message}); its SVG file lies beside the page.`;
    }
  }

  // As on paper: its size, its colours, and with the legends in it; zoomed and without what is
  // hidden, as on the screen.
  async function drawing(plot) {
    const of = known.get(plot);
    const layout = { ...structuredClone(of.plot.layout), paper_bgcolor: "#ffffff", plot_bgcolor: "rgba(0,0,0,0)", font: { family: PAPER_FONT, color: onPaper("ink") } };
    fitting.zoom(layout, of.ranges);
    for (const side of ["t", "b"]) layout.margin[side] += PAD;
    layout.height += 2 * PAD;
    const { width, height } = layout;
    const data = of.plot.data.filter((trace) => !of.hidden.has(trace.legendgroup));
    const text = await Plotly.toImage({ data: coloured(data, onPaper), layout: coloured(layout, onPaper) }, { format: "svg", width, height, imageDataOnly: true });
    const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    svg.append(...layout.meta.legends.map((legend) => legends.picture({ ...legend, top: legend.top + PAD }, of.hidden, { width, font: PAPER_FONT, colour: onPaper })));
    return { text: new XMLSerializer().serializeToString(svg), width, height };
  }

  async function points({ text, width, height }) {
    const image = made("img", { src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}` });
    await image.decode();
    const canvas = made("canvas", { width: SHARP * width, height: SHARP * height });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise((done) => canvas.toBlob(done));
  }

  const ACTIONS = {
    reset: (plot) => { known.get(plot).ranges = {}; render(plot); },
    svg: async (plot, name) => save((await drawing(plot)).text, `${name}.svg`, "image/svg+xml"),
    png: async (plot, name) => save(await points(await drawing(plot)), `${name}.png`, "image/png"),
    tsv: (plot, name) => save(known.get(plot).tsv, `${name}.tsv`, "text/tab-separated-values"),
  };

  function equip(plot) {
    const figure = plot.closest("figure");
    figure.querySelector(".files").hidden = false;
    for (const button of figure.querySelectorAll("[data-do]")) {
      button.addEventListener("click", () => {
        prepare(plot);
        ACTIONS[button.dataset.do](plot, plot.dataset.name);
      });
    }
  }

  const drawn = () => plots.filter((plot) => plot.dataset.drawn);
  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const plot = target.querySelector(".plot");
      if (plot.dataset.drawn && target.clientWidth && target.clientWidth !== known.get(plot).width) render(plot);
    }
  });
  const near = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      resized.observe(target.parentElement);
      setTimeout(() => draw(target)); // each on its own, so that the page answers in between
    }
  }, { rootMargin: NEAR });

  // Those there are, and those that come to light when what is folded away is unpacked.
  function meet() {
    for (const plot of document.querySelectorAll(".plot:not([data-met])")) {
      plot.dataset.met = "true";
      plots.push(plot);
      equip(plot);
      near.observe(plot);
    }
  }
  meet();
  document.addEventListener("unfold", meet);

  document.addEventListener("themechange", () => drawn().forEach((plot) => render(plot)));

  addEventListener("beforeprint", () => {
    for (const plot of plots) if (plot.offsetParent) draw(plot, { paper: true });
  });
  addEventListener("afterprint", () => drawn().forEach((plot) => render(plot)));
}
