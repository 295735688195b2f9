// Figures: unpacked and drawn as they come near, in the theme's colours, at the width there is.
"use strict";

{
  const NEAR = "400px"; // from the view, where drawing begins
  const LEAST = 115; // pixels that a frame needs to be read; with less room the figure scrolls
  const LINE = 1.25; // height of a line of text, in its size
  const SHEET = { whole: 680, small: 320 }; // widths on paper
  const CONFIG = { displayModeBar: false, scrollZoom: false, doubleClick: "reset", showTips: false, responsive: false };
  const OUTLINES = {
    circle: "M4 0A4 4 0 1 1-4 0A4 4 0 1 1 4 0Z",
    square: "M-3.6-3.6h7.2v7.2h-7.2Z",
    diamond: "M0-5L5 0L0 5L-5 0Z",
    "triangle-up": "M0-4.6L4.6 3.6H-4.6Z",
    "triangle-down": "M0 4.6L4.6-3.6H-4.6Z",
    cross: "M-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3Z",
    x: "M-4.2-2.1l2.1-2.1l2.1 2.1l2.1-2.1l2.1 2.1l-2.1 2.1l2.1 2.1l-2.1 2.1l-2.1-2.1l-2.1 2.1l-2.1-2.1l2.1-2.1Z",
    star: "M0-5L1.2-1.6H4.8L1.9.6L2.9 4L0 2L-2.9 4L-1.9.6L-4.8-1.6H-1.2Z",
    "line-ns": "M0-5V5",
  };

  const palette = JSON.parse(document.getElementById("palette").textContent);
  const family = () => getComputedStyle(document.body).fontFamily;
  const plots = [...document.querySelectorAll(".plot")];
  const known = new Map(); // plot: what was unpacked for it, and how a reader has changed it
  const ruler = document.createElement("canvas").getContext("2d");

  const create = (name, properties = {}) => Object.assign(document.createElement(name), properties);
  const isAxis = (name) => /^[xy]axis\d*$/.test(name);
  const spoken = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  const lines = (text) => text.split("<br>").map(spoken);

  function measure(text, size) {
    ruler.font = `${size}px ${family()}`;
    return Math.max(...lines(text).map((line) => ruler.measureText(line).width));
  }

  const decoded = (text) => Uint8Array.fromBase64?.(text) ?? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  async function unpack(packed) {
    const bytes = decoded(packed.textContent);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  let library;
  const loaded = () => (library ??= unpack(document.getElementById("plotly")).then((source) => {
    document.head.append(create("script", { textContent: source }));
  }));

  const prepared = new Map();
  function prepare(plot) {
    if (!prepared.has(plot)) {
      const packed = plot.parentElement.querySelector(".packed");
      prepared.set(plot, unpack(packed).then((text) => {
        known.set(plot, { ...JSON.parse(text), ranges: {}, hidden: new Set() });
      }));
    }
    return prepared.get(plot);
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

  function wrapped(text, width, size) {
    const out = [];
    // Not within a number.
    for (const word of text.split(/(?<=[\s_/·-]|\.(?!\d))/)) {
      const longer = (out.at(-1) ?? "") + word;
      if (out.length && measure(longer.trim(), size) <= width) out[out.length - 1] = longer;
      else out.push(word);
    }
    return out.map((line) => line.trim()).filter(Boolean).join("<br>");
  }

  // Panels side by side keep the gaps between them, and stand one above the other on a phone.
  function spread(layout, before, now) {
    const axes = Object.keys(layout).filter((name) => name.startsWith("xaxis"));
    const columns = [...new Map(axes.map((name) => [layout[name].domain[0], layout[name].domain])).values()].sort((a, b) => a[0] - b[0]);
    if (columns.length < 2) return;
    const gaps = columns.slice(1).map((domain, index) => (domain[0] - columns[index][1]) * before);
    const free = now - gaps.reduce((sum, gap) => sum + gap, 0);
    const share = columns.reduce((sum, [low, high]) => sum + high - low, 0);
    if (free / columns.length < LEAST && !layout.meta.square && axes.length === columns.length) {
      stack(layout, axes);
      return;
    }
    let left = 0;
    const places = new Map(columns.map(([low, high], index) => {
      const place = [left / now, (left + (free * (high - low)) / share) / now];
      left = place[1] * now + (gaps[index] ?? 0);
      return [low, place];
    }));
    for (const name of axes) layout[name].domain = places.get(layout[name].domain[0]);
  }

  function stack(layout, axes) {
    const high = layout.height - layout.margin.t - layout.margin.b;
    const gap = 64; // for ticks, the name of the axis, and a title
    const whole = axes.length * high + (axes.length - 1) * gap;
    layout.height += whole - high;
    axes.forEach((name, index) => {
      const top = 1 - (index * (high + gap)) / whole;
      layout[name].domain = [0, 1];
      const up = layout[name.replace("x", "y")];
      up.domain = [top - high / whole, top];
      // Those that share the names at the left have them all the same when they stand apart.
      if (up.showticklabels === false) Object.assign(up, { ticktext: layout.yaxis.ticktext, showticklabels: layout.yaxis.showticklabels });
    });
  }

  // Room at the left for the names that stand there, in as many lines as it takes.
  function fitLeft(layout, width) {
    let room = 0;
    for (const [name, axis] of Object.entries(layout)) {
      if (!name.startsWith("yaxis") || layout[name.replace("y", "x")].domain[0] > 0) continue;
      const size = axis.tickfont?.size ?? 11;
      const most = 0.36 * width;
      axis.ticktext = axis.ticktext.map((text) => (measure(text, size) > most ? wrapped(spoken(text), most, size).split("<br>").map(escaped).join("<br>") : text));
      const tall = Math.max(1, ...axis.ticktext.map((text) => text.split("<br>").length));
      const high = (layout.height - layout.margin.t - layout.margin.b) * (axis.domain[1] - axis.domain[0]);
      const pitch = high / Math.abs(axis.range[1] - axis.range[0]);
      if (tall > 1 && pitch < tall * LINE * size + 4) grow(layout, { frame: high * ((tall * LINE * size + 4) / pitch - 1) });
      const names = axis.showticklabels === false ? 0 : Math.max(0, ...axis.ticktext.map((text) => measure(text, size)));
      const title = layout.annotations.find((note) => note.name === "ylabel" && note.xref === `${name.replace("yaxis", "x")} domain`);
      if (title) title.xshift = -names - 10;
      room = Math.max(room, names + 10 + (title ? LINE * title.font.size + 4 : 0));
    }
    layout.margin.l = Math.ceil(Math.max(room, 12, Math.min(0.45 * width, roomBefore(layout, width))));
  }

  // What texts that end at a mark near the left edge need; the frame between the margins shrinks with it.
  function roomBefore(layout, width) {
    const needed = layout.annotations.filter((note) => note.xanchor === "right" && /^x\d*$/.test(note.xref)).map((note) => {
      const axis = layout[note.xref.replace("x", "xaxis")];
      const along = (note.x - axis.range[0]) / (axis.range[1] - axis.range[0]);
      if (axis.domain[0] > 0 || along < 0 || along >= 0.9) return 0;
      const text = measure(note.text, note.font.size) - (note.xshift ?? 0) + 4;
      return (text - along * (width - layout.margin.r)) / (1 - along);
    });
    return Math.max(0, ...needed);
  }

  const besideFrame = (layout, note) => note.x === 1 && note.xshift > 0 && layout[note.xref.replace(" domain", "").replace("x", "xaxis")]?.domain[1] > 0.999;

  function fitRight(layout, legends) {
    const rooms = layout.annotations.filter((note) => besideFrame(layout, note)).map((note) => note.xshift + measure(note.text, note.font.size) + 4);
    layout.margin.r = Math.ceil(Math.max(14, ...rooms, ...legends.map((legend) => legend.room + legend.x)));
  }

  const across = (axis, value) => (axis.type === "log" ? Math.log10(value) : value);
  const pixels = (axis, value, inside) => inside * (axis.domain[0] + ((value - axis.range[0]) / (axis.range[1] - axis.range[0])) * (axis.domain[1] - axis.domain[0]));

  // Leaves out every second, third, … name of an axis where they would touch.
  function thin(axis, inside) {
    if (axis.tickmode !== "array" || !axis.ticktext.length) return;
    const size = axis.tickfont?.size ?? 11;
    const upright = Math.abs(axis.tickangle ?? 0) > 60;
    const half = axis.ticktext.map((text) => (upright || axis.tickangle ? (size * LINE) / 2 : measure(text, size) / 2 + 3));
    const at = axis.tickvals.map((value) => pixels(axis, across(axis, value), inside));
    const fits = (step) => at.every((left, index) => index % step || index < step || Math.abs(left - at[index - step]) >= half[index] + half[index - step]);
    let step = 1;
    while (step < at.length && !fits(step)) step += 1;
    axis.ticktext = axis.ticktext.map((text, index) => (index % step ? "" : text));
  }

  // Titles of axes and panels break where they are wider than the figure; others move inside it.
  function fitTexts(layout, inside) {
    const extra = { t: 0, b: 0 };
    for (const note of layout.annotations) {
      const axis = layout[note.xref.replace(" domain", "").replace("x", "xaxis")];
      const side = { xlabel: "b", title: "t" }[note.name];
      if (!axis || note.textangle || note.showarrow) continue;
      if (side) {
        const panel = (axis.domain[1] - axis.domain[0]) * inside;
        const alone = panel > 0.9 * inside;
        const room = alone ? layout.width - 12 : panel + 18;
        if (measure(note.text, note.font.size) > room) note.text = wrapped(spoken(note.text), room, note.font.size).split("<br>").map(escaped).join("<br>");
        extra[side] = Math.max(extra[side], (note.text.split("<br>").length - 1) * LINE * note.font.size);
      }
      const fraction = note.xref.endsWith("domain") ? axis.domain[0] + note.x * (axis.domain[1] - axis.domain[0]) : pixels(axis, note.x, 1);
      const width = measure(note.text, note.font.size);
      const left = layout.margin.l + fraction * inside + (note.xshift ?? 0) - width * { left: 0, center: 0.5, right: 1 }[note.xanchor];
      const moved = Math.max(2, Math.min(left, layout.width - width - 2)) - left;
      if (moved) note.xshift = (note.xshift ?? 0) + moved;
    }
    grow(layout, extra);
  }

  // Panels of a given shape keep it: what they gain or lose across, they do upwards.
  function keepShape(layout, before, natural, inside) {
    if (!layout.meta.square) return;
    const share = (of) => of.xaxis.domain[1] - of.xaxis.domain[0];
    const high = layout.height - layout.margin.t - layout.margin.b;
    layout.height += high * ((share(layout) * inside) / (share(natural) * before) - 1);
  }

  // Room for the names below the frame and for what they are of; for titles above it.
  function fitBelow(layout) {
    for (const [name, axis] of Object.entries(layout)) {
      if (!name.startsWith("xaxis")) continue;
      const size = axis.tickfont?.size ?? 11;
      const turned = (Math.abs(axis.tickangle ?? 0) * Math.PI) / 180;
      const names = axis.showticklabels === false ? [] : axis.ticktext.filter(Boolean);
      const high = Math.max(axis.tickmode === "auto" ? size * LINE : 0, ...names.map((text) => Math.sin(turned) * measure(text, size) + Math.cos(turned) * size * LINE));
      const reach = (axis.ticklen ?? 0) + high + 4;
      const title = layout.annotations.find((note) => note.name === "xlabel" && note.xref === `${name.replace("axis", "")} domain`);
      if (title) title.yshift = -reach;
      const low = layout[name.replace("x", "y")].domain[0] < 0.001;
      const room = Math.ceil(reach + (title ? LINE * title.font.size + 8 : 2));
      if (low && layout.margin.b < room) grow(layout, { b: room - layout.margin.b });
    }
    const above = layout.annotations.filter((note) => note.yanchor === "bottom" && note.y === 1 && note.yref.endsWith("domain"));
    const room = Math.ceil(Math.max(8, ...above.map((note) => (note.yshift ?? 0) + LINE * note.font.size + 6)));
    if (layout.margin.t < room) grow(layout, { t: room - layout.margin.t });
  }

  const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

  function grow(layout, { t = 0, b = 0, frame = 0 }) {
    layout.margin.t += t;
    layout.margin.b += b;
    layout.height += t + b + frame;
  }

  // Returns the layout at a width, and where the legends stand then.
  function fitted(of, width) {
    const layout = structuredClone(of.plot.layout);
    const natural = layout.width;
    const before = natural - layout.margin.l - layout.margin.r;
    const narrow = width < 0.8 * natural;
    const legends = layout.meta.legends.map((legend) => ({ ...legend, side: legend.side === "right" && narrow ? "bottom" : legend.side, folded: legend.side === "right" && narrow }));
    for (const legend of legends) {
      if (!legend.folded && legend.side === "top") grow(layout, { t: -legend.room });
      if (!legend.folded && legend.side === "bottom") grow(layout, { b: -legend.room });
    }
    for (const [name, range] of Object.entries(of.ranges)) {
      layout[name].range = range;
      if (layout.meta.numeric.includes(name)) Object.assign(layout[name], { tickmode: "auto", nticks: 6, tickvals: undefined, ticktext: [] });
    }
    fitRight(layout, legends.filter((legend) => legend.side === "right"));
    fitLeft(layout, Math.min(width, 1.3 * natural));
    const sides = layout.margin.l + layout.margin.r;
    layout.width = Math.round(Math.max(Math.min(width, 1.3 * natural), sides + LEAST));
    const inside = layout.width - sides;
    spread(layout, before, inside);
    for (const [name, axis] of Object.entries(layout)) if (name.startsWith("xaxis")) thin(axis, inside);
    keepShape(layout, before, of.plot.layout, inside);
    fitBelow(layout);
    fitTexts(layout, inside);
    return { layout, legends };
  }

  function sample(trace) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const paint = (name) => (name?.[0] === "@" ? `var(--${name.slice(1)})` : name);
    const add = (attributes) => {
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      for (const [name, value] of Object.entries(attributes)) path.setAttribute(name, value);
      svg.append(path);
    };
    for (const [name, value] of Object.entries({ viewBox: "-13 -6 26 12", width: 26, height: 12, "aria-hidden": "true" })) svg.setAttribute(name, value);
    if (trace.line) add({ d: "M-12 0H12", stroke: paint(trace.line.color), "stroke-width": trace.line.width, "stroke-dasharray": (trace.line.dash ?? "none").replaceAll("px", ""), fill: "none" });
    if (trace.marker) {
      const open = trace.marker.symbol.endsWith("-open");
      const colour = paint(trace.marker.color);
      add({ d: OUTLINES[trace.marker.symbol.replace("-open", "")] ?? OUTLINES.circle, fill: open ? "none" : colour, stroke: open ? colour : "none", "stroke-width": 1.3, opacity: trace.marker.opacity ?? 1 });
    }
    return svg;
  }

  // Legends are lists of buttons: they wrap, and the keyboard reaches them.
  function showLegends(plot, of, layout, legends) {
    const canvas = plot.parentElement;
    const focused = canvas.contains(document.activeElement) ? document.activeElement.dataset?.group : undefined;
    canvas.querySelectorAll(".legend").forEach((legend) => legend.remove());
    legends.forEach((legend, index) => {
      const name = `legend${index ? index + 1 : ""}`;
      const box = create("div", { className: `legend at-${legend.side}` });
      const title = [legend.folded && legends.length > 1 ? legend.panel : "", of.plot.layout[name].title?.text].filter(Boolean).join(", ");
      if (title) box.append(create("p", { textContent: spoken(title) }));
      const list = create("ul");
      for (const trace of of.plot.data.filter((trace) => trace.showlegend && trace.legend === name)) {
        const button = create("button", { type: "button", title: "Show or hide" });
        button.dataset.group = trace.legendgroup;
        button.setAttribute("aria-pressed", String(!of.hidden.has(trace.legendgroup)));
        button.append(sample(trace), create("span", { textContent: spoken(trace.name) }));
        button.addEventListener("click", () => {
          of.hidden[of.hidden.has(trace.legendgroup) ? "delete" : "add"](trace.legendgroup);
          render(plot);
        });
        const item = create("li");
        item.append(button);
        list.append(item);
      }
      box.append(list);
      if (legend.side === "right") box.style.cssText = `left: ${layout.width - layout.margin.r + legend.x}px; top: ${legend.top}px`;
      legend.side === "top" ? plot.before(box) : canvas.append(box);
    });
    if (focused) [...canvas.querySelectorAll(".legend button")].find((button) => button.dataset.group === focused)?.focus();
  }

  function render(plot, { paper = false } = {}) {
    const of = known.get(plot);
    const colour = paper ? onPaper : onScreen();
    const small = plot.closest(".small");
    const width = paper ? SHEET[small ? "small" : "whole"] : plot.parentElement.clientWidth;
    if (!width) return;
    const { layout, legends } = fitted(of, width);
    Object.assign(layout, {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: family(), size: 12, color: colour("ink") },
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("soft"), align: "left", font: { family: family(), size: 12.5, color: colour("ink") }, namelength: -1 },
    });
    const data = of.plot.data.filter((trace) => !trace.showlegend).map((trace) => (of.hidden.has(trace.legendgroup) ? { ...trace, visible: false } : trace));
    of.width = width;
    plot.style.height = "";
    Plotly.react(plot, coloured(data, colour), coloured(layout, colour), CONFIG);
    if (!plot.dataset.drawn) {
      plot.dataset.drawn = "true";
      plot.on("plotly_relayout", (change) => zoomed(plot, change));
      plot.on("plotly_click", ({ points }) => points[0].customdata && toRow(points[0].customdata));
    }
    showLegends(plot, of, layout, legends);
    const reset = plot.closest("figure").querySelector("[data-do=reset]");
    if (reset) reset.hidden = !Object.keys(of.ranges).length;
  }

  // Marks may be of a row of a table, named as table/row.
  function toRow(of) {
    const [name, ...row] = of.split("/");
    const heads = document.querySelectorAll(`table[data-name="${CSS.escape(name)}"] tbody th`);
    const head = [...heads].find((cell) => cell.firstChild.textContent.trim() === row.join("/"));
    if (!head) return;
    for (let fold = head.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    head.tabIndex = -1;
    head.focus();
    head.scrollIntoView({ block: "center" });
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

  async function draw(plot) {
    try {
      await Promise.all([loaded(), prepare(plot)]);
      render(plot);
    } catch (error) {
      plot.textContent = `This browser cannot draw the figure (${error.message}); its SVG file lies beside the page.`;
    }
  }

  function save(content, name, type) {
    const link = create("a", { href: URL.createObjectURL(new Blob([content], { type })), download: name });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  // As on paper: its size, its colours, and with the legends in it.
  async function picture(plot, format) {
    const of = known.get(plot);
    const layout = { ...structuredClone(of.plot.layout), showlegend: of.plot.layout.meta.legends.length > 0, paper_bgcolor: "#ffffff", plot_bgcolor: "rgba(0,0,0,0)", font: { family: "Arial, sans-serif", color: onPaper("ink") } };
    const figure = { data: coloured(of.plot.data, onPaper), layout: coloured(layout, onPaper) };
    const options = { format, width: layout.width, height: layout.height, scale: format === "png" ? 3 : 1, imageDataOnly: true };
    const image = await Plotly.toImage(figure, options);
    return format === "png" ? decoded(image) : image;
  }

  const ACTIONS = {
    reset: (plot) => { known.get(plot).ranges = {}; render(plot); },
    svg: async (plot, name) => save(await picture(plot, "svg"), `${name}.svg`, "image/svg+xml"),
    png: async (plot, name) => save(await picture(plot, "png"), `${name}.png`, "image/png"),
    tsv: (plot, name) => save(known.get(plot).tsv, `${name}.tsv`, "text/tab-separated-values"),
  };

  for (const plot of plots) {
    const figure = plot.closest("figure");
    figure.querySelector(".files").hidden = false;
    for (const button of figure.querySelectorAll("[data-do]")) {
      button.addEventListener("click", async () => {
        await Promise.all([loaded(), prepare(plot)]);
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
      draw(target);
    }
  }, { rootMargin: NEAR });
  plots.forEach((plot) => near.observe(plot));

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn().forEach((plot) => render(plot)));

  // A sheet waits for nothing: what it may need is unpacked while nobody waits for anything else.
  const idle = window.requestIdleCallback ?? ((task) => setTimeout(task, 50));
  const unpackRest = () => {
    const plot = plots.find((one) => !prepared.has(one));
    if (plot) Promise.all([loaded(), prepare(plot)]).then(() => idle(unpackRest), () => {});
  };
  addEventListener("load", () => setTimeout(unpackRest, 3000));
  addEventListener("beforeprint", () => {
    for (const plot of plots) if (window.Plotly && known.has(plot) && plot.offsetParent) render(plot, { paper: true });
  });
  addEventListener("afterprint", () => drawn().forEach((plot) => render(plot)));
}
