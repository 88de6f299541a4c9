"use strict";
// Draws the charts of the page, and draws them again for another language, member, season or width.
(() => {
  const root = document.documentElement;
  const stored = JSON.parse(document.getElementById("charts").textContent);
  const drawn = new Map();  // view of each chart that is drawn, by its element
  const lists = [...document.querySelectorAll("select[name]")];
  const chosen = {};  // place of the choice, by parameter of the charts
  for (const list of lists) chosen[list.name] = Number(list.value);

  function specOf(place) {
    const spec = structuredClone(stored.charts[place.dataset.chart][root.dataset.lang]);
    const width = Math.floor(place.clientWidth);
    const ratio = (spec.usermeta || {}).ratio;
    spec.width = width;
    if (ratio) spec.height = Math.round(width * ratio);
    spec.autosize = { type: "fit-x", contains: "padding" };
    spec.datasets = {};
    (function find(node) {
      if (Array.isArray(node)) node.forEach(find);
      else if (node && typeof node === "object") {
        if (node.data && node.data.name) spec.datasets[node.data.name] = stored.data[node.data.name];
        Object.values(node).forEach(find);
      }
    })(spec);
    for (const param of spec.params || [])
      if (Object.hasOwn(chosen, param.name)) param.value = chosen[param.name];
    return spec;
  }

  async function draw(place) {
    const former = drawn.get(place);
    place.style.minHeight = former ? `${place.clientHeight}px` : "";
    if (former) former.finalize();
    try {
      const result = await vegaEmbed(place, specOf(place), {
        actions: false, renderer: "svg", tooltip: { theme: "light" },
      });
      drawn.set(place, result);
      const svg = place.querySelector("svg");
      if (svg) svg.setAttribute("focusable", "false");
    } catch (error) {
      place.className = "chart failed";
      place.textContent = String(error);
      console.error(error);
    }
    place.style.minHeight = "";
    place.dataset.width = place.clientWidth;
  }

  const places = [...document.querySelectorAll(".chart")];
  const waiting = new Set(places);
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries)
      if (entry.isIntersecting && waiting.delete(entry.target)) draw(entry.target);
  }, { rootMargin: "600px" });
  places.forEach((place) => seen.observe(place));

  async function drawAll() {
    const left = [...waiting];
    waiting.clear();
    await Promise.all(left.map(draw));
    root.dataset.drawn = "all";
  }
  // what is out of sight is drawn when there is nothing else to do, so that printing finds it all
  const idle = window.requestIdleCallback || ((work) => setTimeout(work, 200));
  window.addEventListener("load", () => idle(drawAll));
  window.addEventListener("beforeprint", drawAll);

  function again() {
    for (const place of places) if (!waiting.has(place)) draw(place);
  }

  for (const list of lists) list.addEventListener("change", () => {
    const name = list.name;
    chosen[name] = Number(list.value);
    for (const other of lists) if (other.name === name) other.value = list.value;
    for (const { view } of drawn.values())
      if (Object.hasOwn(view.getState().signals, name))
        view.signal(name, chosen[name]).runAsync();
  });
  const language = document.getElementById("language");
  language.addEventListener("change", () => {
    root.dataset.lang = root.lang = language.value;
    document.title = stored.title[root.dataset.lang];
    again();
  });
  let timer = 0;
  window.addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      for (const place of places)
        if (!waiting.has(place) && Number(place.dataset.width) !== place.clientWidth) draw(place);
    }, 150);
  });
})();
