"use strict";
// Draws the charts of the page, and draws them again for another language, choice or width.
(() => {
  const root = document.documentElement;
  const stored = JSON.parse(document.getElementById("charts").textContent);
  const drawn = new Map();  // view of each chart that is drawn, by its element
  const drawing = new Map();  // what is being drawn, by element: one after the other
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
      if (param.name === "room") param.value = width;
      else if (Object.hasOwn(chosen, param.name)) param.value = chosen[param.name];
    return spec;
  }

  function choose(view) {
    const known = view.getState().signals;
    for (const name of Object.keys(chosen))
      if (Object.hasOwn(known, name) && known[name] !== chosen[name])
        view.signal(name, chosen[name]);
    return view.runAsync();
  }

  function draw(place) {
    root.removeAttribute("data-drawn");
    const before = drawing.get(place) || Promise.resolve();
    drawing.set(place, before.then(() => drawNow(place)));
    return drawing.get(place);
  }

  async function drawNow(place) {
    const former = drawn.get(place);
    place.style.minHeight = former ? `${place.clientHeight}px` : "";
    if (former) former.finalize();
    drawn.delete(place);
    try {
      const result = await vegaEmbed(place, specOf(place), {
        actions: false, renderer: "svg", tooltip: { theme: "light" },
      });
      drawn.set(place, result);
      await choose(result.view);  // what was chosen meanwhile
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

  async function settle() {  // says so when all is drawn as it was chosen
    await Promise.all(drawing.values());
    if (!waiting.size) root.dataset.drawn = "all";
  }

  async function drawAll() {
    const left = [...waiting];
    waiting.clear();
    left.forEach(draw);
    await settle();
  }
  // what is out of sight is drawn when there is nothing else to do, so that printing finds it all
  const idle = window.requestIdleCallback || ((work) => setTimeout(work, 200));
  window.addEventListener("load", () => idle(drawAll));
  window.addEventListener("beforeprint", drawAll);

  for (const list of lists) list.addEventListener("change", () => {
    chosen[list.name] = Number(list.value);
    for (const other of lists) if (other.name === list.name) other.value = list.value;
    root.removeAttribute("data-drawn");
    Promise.all([...drawn.values()].map(({ view }) => choose(view))).then(settle);
  });
  const language = document.getElementById("language");
  language.addEventListener("change", () => {
    root.dataset.lang = root.lang = language.value;
    document.title = stored.title[root.dataset.lang];
    for (const place of places) if (!waiting.has(place)) draw(place);
    settle();
  });
  let timer = 0;
  window.addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      for (const place of places)
        if (!waiting.has(place) && Number(place.dataset.width) !== place.clientWidth) draw(place);
      settle();
    }, 150);
  });
})();
