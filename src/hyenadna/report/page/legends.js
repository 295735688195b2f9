// Legends of figures: lists of buttons on the page, drawn ones in a picture that is saved.
"use strict";

const legends = (() => {
  const NAMESPACE = "http://www.w3.org/2000/svg";
  const SAMPLE = { width: 26, height: 12 };
  const GAP = 14; // between entries side by side
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
  const { spoken, LINE } = fitting;

  function drawn(name, attributes, ...parts) {
    const of = document.createElementNS(NAMESPACE, name);
    for (const [key, value] of Object.entries(attributes)) of.setAttribute(key, value);
    of.append(...parts);
    return of;
  }

  function sample(entry, colour) {
    const paint = (name) => (name?.[0] === "@" ? colour(name.slice(1)) : name);
    const svg = drawn("svg", { viewBox: "-13 -6 26 12", ...SAMPLE, "aria-hidden": "true" });
    if (entry.line) svg.append(drawn("path", { d: "M-12 0H12", stroke: paint(entry.line.color), "stroke-width": entry.line.width, "stroke-dasharray": (entry.line.dash ?? "none").replaceAll("px", ""), fill: "none" }));
    if (entry.marker) {
      const open = entry.marker.symbol.endsWith("-open");
      const shade = paint(entry.marker.color);
      svg.append(drawn("path", { d: OUTLINES[entry.marker.symbol.replace("-open", "")] ?? OUTLINES.circle, fill: open ? "none" : shade, stroke: open ? shade : "none", "stroke-width": 1.3, opacity: entry.marker.opacity ?? 1 }));
    }
    return svg;
  }

  function button(entry, hidden, toggle) {
    const of = made("button", { type: "button", title: "Show or hide" });
    of.dataset.group = entry.group;
    of.setAttribute("aria-pressed", String(!hidden.has(entry.group)));
    of.append(sample(entry, (name) => `var(--${name})`), made("span", { textContent: spoken(entry.name) }));
    of.addEventListener("click", () => {
      hidden[hidden.has(entry.group) ? "delete" : "add"](entry.group);
      toggle();
    });
    return of;
  }

  // They wrap, and the keyboard reaches them.
  function show(plot, { layout, legends: placed }, hidden, toggle) {
    const canvas = plot.parentElement;
    const focused = canvas.contains(document.activeElement) ? document.activeElement.dataset?.group : undefined;
    canvas.querySelectorAll(".legend").forEach((legend) => legend.remove());
    for (const legend of placed) {
      const box = made("div", { className: `legend at-${legend.side}` });
      const title = [legend.folded && placed.length > 1 ? legend.panel : "", legend.title].filter(Boolean).join(", ");
      if (title) box.append(made("p", { textContent: spoken(title) }));
      const list = made("ul");
      for (const entry of legend.entries) {
        const item = made("li");
        item.append(button(entry, hidden, toggle));
        list.append(item);
      }
      box.append(list);
      if (legend.side === "right") box.style.cssText = `left: ${layout.width - layout.margin.r + legend.beyond}px; top: ${legend.top}px`;
      legend.side === "top" ? plot.before(box) : canvas.append(box);
    }
    if (focused) [...canvas.querySelectorAll(".legend button")].find((of) => of.dataset.group === focused)?.focus();
  }

  // As an SVG of a figure has one: where it stands on paper, without what is hidden.
  function picture(legend, hidden, { width, font, colour }) {
    const { size } = legend;
    const high = LINE * size + 4;
    const wide = (entry) => SAMPLE.width + 6 + fitting.measure(entry.name, size, font);
    const group = drawn("g", { "font-family": font, "font-size": size, fill: colour("ink") });
    const beside = legend.side === "top" || legend.side === "bottom";
    const from = beside ? Math.max(0, Math.min(legend.left, width - legend.entries.reduce((sum, entry) => sum + wide(entry) + GAP, -GAP))) : legend.left;
    let [x, y] = [from, legend.top + high / 2];
    const write = (text, left) => group.append(drawn("text", { x: left, y, "dominant-baseline": "central" }, spoken(text)));
    if (legend.title) {
      write(legend.title, x);
      y += high;
    }
    for (const entry of legend.entries.filter((one) => !hidden.has(one.group))) {
      if (beside && x > from && x + wide(entry) > width) [x, y] = [from, y + high];
      const mark = sample(entry, colour);
      mark.setAttribute("x", x);
      mark.setAttribute("y", y - SAMPLE.height / 2);
      group.append(mark);
      write(entry.name, x + SAMPLE.width + 6);
      if (beside) x += wide(entry) + GAP;
      else y += high;
    }
    return group;
  }

  return { show, picture };
})();
