// The layout of a figure at the width there is: room for its texts, panels that stack on a phone.
"use strict";

const fitting = (() => {
  const LEAST = 80; // pixels that a frame needs to be read; with less room the figure scrolls
  const PANEL = 115; // of panels side by side, which with less stand one above the other
  const ROW = { few: 36, many: 27 }; // pixels from one named row to the next, at least
  const FEW = 10; // rows, in a figure that has the width of the page
  const WHOLE = 400; // pixels on paper from which on it has
  const LINE = 1.25; // height of a line of text, in its size
  const MOST = 1.3; // times its width on paper

  const ruler = document.createElement("canvas").getContext("2d");
  const family = () => getComputedStyle(document.body).fontFamily;
  const spoken = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  const lines = (text) => text.split("<br>").map(spoken);

  function measure(text, size, font = family()) {
    ruler.font = `${size}px ${font}`;
    return Math.max(...lines(text).map((line) => ruler.measureText(line).width));
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
    if (free / columns.length < PANEL && !layout.meta.square && axes.length === columns.length) {
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
      const named = !layout.meta.numeric.includes(name) && axis.type !== "log" && !layout.meta.square && axis.ticktext.length > 1;
      const row = axis.ticktext.length <= FEW && layout.width > WHOLE ? ROW.few : ROW.many;
      const least = Math.max(named ? row : 0, tall > 1 ? tall * LINE * size + 4 : 0);
      if (pitch < least) grow(layout, { frame: high * (least / pitch - 1) });
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
    layout.margin.r = Math.ceil(Math.max(14, ...rooms, ...legends.map((legend) => legend.room + legend.beyond)));
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

  function zoom(layout, ranges) {
    for (const [name, range] of Object.entries(ranges)) {
      layout[name].range = range;
      if (layout.meta.numeric.includes(name)) Object.assign(layout[name], { tickmode: "auto", nticks: 6, tickvals: undefined, ticktext: [] });
    }
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
    zoom(layout, of.ranges);
    fitRight(layout, legends.filter((legend) => legend.side === "right"));
    fitLeft(layout, Math.min(width, MOST * natural));
    const sides = layout.margin.l + layout.margin.r;
    layout.width = Math.round(Math.max(Math.min(width, MOST * natural), sides + LEAST));
    const inside = layout.width - sides;
    spread(layout, before, inside);
    for (const [name, axis] of Object.entries(layout)) if (name.startsWith("xaxis")) thin(axis, inside);
    keepShape(layout, before, of.plot.layout, inside);
    fitBelow(layout);
    fitTexts(layout, inside);
    return { layout, legends };
  }

  return { fitted, zoom, family, measure, spoken, escaped, LINE };
})();
