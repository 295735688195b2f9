// Light or dark, as the system has it or as a reader chooses; before anything is painted.
"use strict";

{
  const KEY = "hyenadna-report-theme";
  const THEMES = { "": "System theme", light: "Light theme", dark: "Dark theme" };
  const MEDIA = { "": "screen and (prefers-color-scheme: dark)", light: "not all", dark: "screen" };
  const whenDark = [...document.styleSheets[0].cssRules].filter((rule) => rule.media?.mediaText.includes("prefers-color-scheme"));

  // A page from a file may not be allowed to keep anything.
  function kept() {
    try { return localStorage.getItem(KEY) in THEMES ? localStorage.getItem(KEY) : ""; } catch { return ""; }
  }
  function keep(theme) {
    try { localStorage.setItem(KEY, theme); } catch { /* it is for this visit then */ }
  }

  function wear(theme) {
    document.documentElement.dataset.theme = theme;
    for (const rule of whenDark) rule.media.mediaText = MEDIA[theme];
    document.dispatchEvent(new Event("themechange"));
  }
  wear(kept());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("themechange")));

  document.addEventListener("DOMContentLoaded", () => {
    const choice = document.createElement("select");
    choice.setAttribute("aria-label", "Theme");
    choice.append(...Object.entries(THEMES).map(([theme, title]) => new Option(title, theme)));
    choice.value = kept();
    choice.addEventListener("change", () => { keep(choice.value); wear(choice.value); });
    const place = document.createElement("div");
    place.className = "theme";
    place.append(choice);
    document.querySelector("nav").append(place);
  });
}
