"use strict";
// The interactive section of a report page: one cursor for charts, samples and numbers.
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("explore-data").textContent);
  const slider = byId("step");
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const floats = (text) => new Float32Array(bytes(text).buffer);
  const unpacked = new Map();

  function signal(name) {
    if (!unpacked.has(name)) {
      const packed = data.signals[name];
      const steps = packed ? Array.from(new Int32Array(bytes(packed.steps).buffer)) : [];
      const values = packed ? Array.from(floats(packed.values), (v) => (isFinite(v) ? v : NaN)) : [];
      unpacked.set(name, { steps, values });
    }
    return unpacked.get(name);
  }

  // Index of the last of the sorted `steps` that is at or before `step`; -1 if there is none.
  function newest(steps, step) {
    let low = 0, high = steps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (steps[middle] <= step) low = middle + 1; else high = middle;
    }
    return low - 1;
  }

  const format = (value) => {
    if (!isFinite(value)) return "not finite";
    const size = Math.abs(value);
    return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : String(+value.toPrecision(3));
  };

  const frames = data.frames.map((frame) => ({ ...frame, url: frame.url || urlOnPage(frame.step) }));
  // The page shows some grids already; their images are not stored again.
  function urlOnPage(step) {
    const image = document.querySelector(`.grids img[data-step="${step}"]`);
    return image ? image.src : "data:,";
  }

  let charts = null, plane = null;

  function move(step) {
    slider.value = step;
    slider.setAttribute("aria-valuetext", `step ${step}`);
    byId("at").textContent = `step ${step}`;
    const grid = byId("grid");
    if (grid && frames.length) {
      const frame = frames[Math.max(0, newest(frames.map((f) => f.step), step))];
      grid.src = frame.url;
      grid.alt = `Generated samples at step ${frame.step}`;
      byId("grid-caption").textContent = `step ${frame.step}`;
    }
    if (plane) plane(step);
    if (charts) for (const cursor of charts.cursors) cursor.location = step;
    showValues(step);
  }

  function showValues(step) {
    const rows = [];
    const evaluation = data.evaluations[newest(data.evaluations.map((e) => e.step), step)];
    if (evaluation) {
      for (const [failure, status] of Object.entries(evaluation.statuses)) {
        rows.push([`${failure}, diagnosed at step ${evaluation.step}`, status]);
      }
    }
    const names = [...new Set([...data.charts.flatMap((chart) => chart.signals), byId("signal").value])];
    for (const name of names.filter(Boolean)) {
      const { steps, values } = signal(name);
      const at = newest(steps, step);
      rows.push([data.labels[name], at < 0 ? "not yet measured" : format(values[at])]);
    }
    byId("numbers").replaceChildren(...rows.map(([name, value]) => {
      const row = document.createElement("tr"), head = document.createElement("th"), cell = document.createElement("td");
      head.scope = "row";
      head.textContent = name;
      cell.textContent = value;
      cell.className = "num";
      row.append(head, cell);
      return row;
    }));
  }

  function fill(source, name) {
    const { steps, values } = signal(name);
    source.data = { x: steps, y: values };
    return values.filter((v) => isFinite(v));
  }

  function choose() {
    const plot = charts.last, name = byId("signal").value;
    const values = fill(charts.chosen, name);
    const low = Math.min(...values), high = Math.max(...values);
    const margin = 0.08 * (high - low) || 0.1 * Math.abs(high) || 1;
    if (values.length) plot.y_range.setv({ start: low - margin, end: high + margin });
    plot.title.text = data.labels[name];
    showValues(+slider.value);
  }

  // Bokeh draws on canvases, which do not take colours from the style sheet.
  const colours = new Map();
  const variables = { "#0173b2": "--blue", "#de8f05": "--orange", "#029e73": "--green", "#bf4f00": "--red", "#5a6472": "--muted" };
  function paint(document_) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    for (const model of document_.all_models) {
      for (const [property, variable] of [
        ["axis_label_text_color", "--muted"], ["major_label_text_color", "--muted"], ["label_text_color", "--ink"],
        ["axis_line_color", "--line"], ["major_tick_line_color", "--line"], ["grid_line_color", "--line"],
      ]) if (property in model.properties) model[property] = colour(variable);
      if (model.type === "Title") model.text_color = colour("--ink");
      if ("line_color" in model.properties) {
        if (!colours.has(model)) colours.set(model, variables[model.line_color?.value ?? model.line_color]);
        if (colours.get(model)) model.line_color = colour(colours.get(model));
      }
    }
  }

  async function embed(item, target) {
    const views = await Bokeh.embed.embed_item(item, target);
    const view = Array.isArray(views) ? views[0] : [...views][0];
    const document_ = view.model.document;
    paint(document_);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint(document_));
    return document_;
  }

  // An arrow consists of three segments: the shaft, and two strokes of the head with the same scale.
  function arrows(tails, tips) {
    const drawn = { x: [], y: [], x1: [], y1: [] };
    const stroke = (x, y, x1, y1) => { drawn.x.push(x); drawn.y.push(y); drawn.x1.push(x1); drawn.y1.push(y1); };
    tips.x.forEach((x, i) => {
      const y = tips.y[i], back = [tails.x[i] - x, tails.y[i] - y];
      stroke(tails.x[i], tails.y[i], x, y);
      for (const across of [-0.12, 0.12]) stroke(x, y, x + 0.25 * back[0] - across * back[1], y + 0.25 * back[1] + across * back[0]);
    });
    return drawn;
  }

  async function embedPlane() {
    const found = await embed(data.plane, "plane");
    const all = [...found.all_models];
    const source = (name) => all.find((model) => model.name === name);
    const stored = source("frames").data;
    return (step) => {
      const at = Math.max(0, newest(Array.from(stored.step), step));
      const fakes = { x: stored.x[at], y: stored.y[at] };
      source("field").data = { image: stored.image[at].length ? [stored.image[at]] : [] };
      source("path").data = { x: stored.path_x[at], y: stored.path_y[at] };
      source("arrows").data = arrows(fakes, { x: stored.x1[at], y: stored.y1[at] });
      source("fake").data = fakes;
      byId("plane-caption").textContent = `The plane at step ${stored.step[at]}`;
      byId("plane").setAttribute("aria-label", `The plane at step ${stored.step[at]}: real and generated points, and the discriminator's output around them`);
    };
  }

  function options() {
    const select = byId("signal");
    for (const name of Object.keys(data.signals)) select.add(new Option(name, name));
    select.addEventListener("change", choose);
  }

  async function start() {
    Bokeh.logger.set_level("warn");
    byId("explore").hidden = false;
    byId("without-scripts").remove();
    options();
    slider.addEventListener("input", () => move(+slider.value));
    move(data.onset ?? +slider.max);
    const found = await embed(data.document, "charts");
    const all = [...found.all_models];
    const named = (name) => all.find((model) => model.name === name);
    data.charts.forEach((chart, i) => chart.signals.forEach((name, j) => fill(named(`line-${i}-${j}`), name)));
    charts = {
      cursors: all.filter((model) => model.name === "cursor"),
      last: named(`line-${data.charts.length}`),
      chosen: named(`line-${data.charts.length}-0`),
    };
    const follow = (event) => move(Math.round(Math.min(Math.max(event.x, 0), +slider.max)));
    for (const plot of all) if (plot.type === "Figure") plot.js_event_callbacks = { tap: [follow] };
    if (data.plane) plane = await embedPlane();
    choose();
    move(+slider.value);
    byId("explore").dataset.ready = "yes";
  }

  start();
})();
