"use strict";
// Draws the page's charts from their data: with a tip under the pointer, as a table, and to be kept as CSV.
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const DASHES = { solid: null, dashed: "7 4", dotted: "2 4" };
  const own = (hex) => `var(--${hex.slice(1)})`; // each colour is a variable, which a dark page sets otherwise
  const looks = { background: "none", color: "var(--ink)", fontFamily: "inherit", fontSize: "13px", overflow: "visible" };
  let smoothing = 1; // evaluations
  let logarithms = null; // null: as each chart has it

  const number = (value) => {
    if (value === null || value === undefined) return "";
    const text = Number(value.toPrecision(4));
    return text !== 0 && Math.abs(text) < 1e-4 ? text.toExponential() : String(text);
  };
  const spread = (mean, deviation) => (deviation ? `${number(mean)} ± ${number(deviation)}` : number(mean));
  const counted = d3.format(",");
  const element = (name, properties = {}, ...inside) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...inside);
    return made;
  };

  // Curves

  function means(line) {
    const seeds = Object.values(line.seeds);
    return line.iterations.flatMap((iteration, i) => {
      const values = seeds.map((of) => of[i]).filter((value) => value !== null);
      if (!values.length || values.length < seeds.length) return [];
      return [{ iteration, mean: d3.mean(values), deviation: values.length > 1 ? d3.deviation(values) : 0 }];
    });
  }

  function smoothed(points, key) {
    if (smoothing === 1) return points.map((point) => point[key]);
    const reach = Math.floor(smoothing / 2); // the mean of as many on both sides; fewer at the ends
    return points.map((_, i) => {
      const near = Math.min(reach, i, points.length - 1 - i);
      return d3.mean(points.slice(i - near, i + near + 1), (point) => point[key]);
    });
  }

  function curveMarks(line, log) {
    const stroke = own(line.colour), strokeDasharray = DASHES[line.dash];
    const strokeWidth = line.bold ? 3.2 : 2;
    if (line.single) {
      return Object.entries(line.seeds).flatMap(([seed, values]) => {
        const points = line.iterations.map((iteration, i) => ({ iteration, value: values[i] })).filter((p) => p.value !== null);
        const symbol = { diverged: "times", stopped: "square" }[line.ends[seed]];
        const marks = [Plot.lineY(points, { x: "iteration", y: "value", stroke, strokeDasharray, strokeWidth: 1.3, clip: true })];
        if (symbol && points.length)
          marks.push(Plot.dot(points.slice(-1), { x: "iteration", y: "value", symbol, stroke, r: 5, strokeWidth: 2, clip: true }));
        return marks;
      });
    }
    const points = means(line);
    const middle = smoothed(points, "mean"), width = smoothed(points, "deviation");
    const drawn = points.map((point, i) => ({
      iteration: point.iteration, mean: middle[i], low: middle[i] - width[i], high: middle[i] + width[i],
    }));
    const floor = (value) => (log ? Math.max(value, 1e-12) : value);
    const marks = [
      Plot.areaY(drawn, { x: "iteration", y1: (d) => floor(d.low), y2: "high", fill: stroke, fillOpacity: line.bold ? 0.26 : 0.15, clip: true }),
    ];
    if (smoothing > 1)
      marks.push(Plot.lineY(points, { x: "iteration", y: "mean", stroke, strokeWidth: 1, strokeOpacity: 0.4, clip: true }));
    marks.push(Plot.lineY(drawn, { x: "iteration", y: "mean", stroke, strokeDasharray, strokeWidth, clip: true }));
    return marks;
  }

  function curveTips(lines) {
    const said = new Map();
    const say = (iteration, text) => said.set(iteration, [...(said.get(iteration) ?? []), text]);
    for (const line of lines) {
      if (line.single)
        for (const [seed, values] of Object.entries(line.seeds))
          line.iterations.forEach((iteration, i) => values[i] !== null && say(iteration, `${line.name}, seed ${seed}: ${number(values[i])}`));
      else {
        const points = means(line), middle = smoothed(points, "mean");
        points.forEach((p, i) => say(p.iteration, `${line.name}: ${spread(middle[i], p.deviation)}`));
      }
    }
    return d3.sort(said, ([iteration]) => iteration).map(([iteration, lines]) => ({
      x: iteration, text: [`iteration ${counted(iteration)}`, ...lines].join("\n"),
    }));
  }

  // Powers of ten with 2 and 5 between them, or with 3; Plot's own are too few or too many.
  function decades([low, high]) {
    const between = high / low < 60 ? [1, 2, 5] : high / low < 3000 ? [1, 3] : [1];
    const powers = d3.range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)) + 1);
    return powers.flatMap((power) => between.map((digit) => digit * 10 ** power)).filter((at) => at >= low && at <= high);
  }

  function drawCurves(chart, facet, width) {
    const tips = curveTips(facet.lines), log = chart.low > 0 && (logarithms ?? chart.log);
    const room = 0.05 * (chart.high - chart.low || 1);
    const domain = log ? [chart.low / 1.08, chart.high * 1.08] : [chart.low - room, chart.high + room];
    const svg = Plot.plot({
      width, height: Math.max(220, Math.min(340, width * 0.62)), marginLeft: 52, marginBottom: 38, marginTop: 24, style: looks,
      x: { domain: [0, chart.iterations], label: "iteration", ticks: Math.max(3, Math.floor(width / 110)), tickFormat: counted },
      y: { domain, type: log ? "log" : "linear", label: chart.metric, grid: true, ticks: log ? decades(domain) : 6, tickFormat: log ? number : undefined },
      marks: [
        ...facet.lines.flatMap((line) => curveMarks(line, log)),
        Plot.ruleX(tips, Plot.pointerX({ x: "x", stroke: "var(--soft)" })),
        tip(tips, Plot.pointerX({ x: "x", title: "text", frameAnchor: "middle" })),
      ],
    });
    return { svg, tips };
  }

  function legend(lines) {
    return element("ul", { className: "legend" }, ...lines.map((line) => {
      const item = element("li", {});
      const dash = DASHES[line.dash] ? ` stroke-dasharray="${DASHES[line.dash]}"` : "";
      item.innerHTML = `<svg width="30" height="10" aria-hidden="true"><line x1="0" y1="5" x2="30" y2="5" stroke="${own(line.colour)}" stroke-width="${line.bold ? 4 : 2.5}"${dash}></line></svg>`;
      item.append(` ${line.name}`);
      if (line.bold) item.className = "bold";
      return item;
    }));
  }

  const tip = (data, options) =>
    Plot.tip(data, { ...options, fill: "var(--paper)", stroke: "var(--soft)", fontSize: 12, lineWidth: 30, textPadding: 7, ariaHidden: true });

  // Histograms over time

  function drawHeat(chart, grid, width) {
    const largest = d3.max(chart.facets, (of) => d3.max(of.shares, (shares) => d3.max(shares)));
    const edges = grid.iterations.map((iteration, i) => (i ? (iteration + grid.iterations[i - 1]) / 2 : 0));
    const cells = grid.iterations.flatMap((iteration, i) =>
      grid.shares[i].map((share, bin) => ({
        strength: Math.sqrt(share / largest), x1: edges[i], x2: edges[i + 1] ?? chart.iterations, y1: bin / chart.bins, y2: (bin + 1) / chart.bins,
        x: iteration, y: (bin + 0.5) / chart.bins,
        text: `iteration ${counted(iteration)}\nscale ${number(bin / chart.bins)} to ${number((bin + 1) / chart.bins)}: ${number(100 * share)} %`,
      })));
    const svg = Plot.plot({
      width, height: 280, marginLeft: 46, marginBottom: 38, marginTop: 24, style: looks,
      x: { domain: [0, chart.iterations], label: "iteration", ticks: Math.max(3, Math.floor(width / 110)), tickFormat: counted },
      y: { domain: [0, 1], label: "scale", ticks: 5 },
      opacity: { domain: [0, 1], range: [0, 1] },
      marks: [
        Plot.frame({ stroke: "var(--faint)" }),
        Plot.rect(cells, { x1: "x1", x2: "x2", y1: "y1", y2: "y2", fill: own(grid.colour), fillOpacity: "strength", inset: 0, shapeRendering: "crispEdges" }),
        tip(cells, Plot.pointer({ x: "x", y: "y", title: "text", maxRadius: 60 })),
      ],
    });
    return { svg, tips: cells };
  }

  // Means with intervals

  // What is dotted elsewhere, a control, is hollow here.
  const looksOf = (row) =>
    row.dash === "dotted"
      ? { fill: "var(--paper)", stroke: own(row.colour), strokeWidth: 2.4 }
      : { fill: own(row.colour), stroke: "var(--paper)", strokeWidth: 1.5 };

  function drawIntervals(chart, width) {
    const rows = chart.rows.map((row) => ({
      ...row, x: row.mean, y: row.name,
      text: [
        row.name, `mean ${number(row.mean)}`,
        ...(row.low === null ? [] : [`95 % interval ${number(row.low)} to ${number(row.high)}`]),
        ...Object.entries(row.seeds).map(([seed, value]) => `seed ${seed}: ${number(value)}`),
      ].join("\n"),
    }));
    const dots = rows.flatMap((row) => Object.values(row.seeds).map((value) => ({ x: value, y: row.name, colour: row.colour })));
    const reach = d3.extent([...rows.flatMap((row) => [row.mean, row.low, row.high]), ...dots.map((dot) => dot.x), ...(chart.zero ? [0] : [])].filter((v) => v !== null));
    const svg = Plot.plot({
      width, height: 58 + 46 * rows.length, marginLeft: 14, marginRight: 20, marginBottom: 42, marginTop: 14, style: looks,
      x: { domain: reach, nice: true, label: chart.zero ? `difference of ${chart.metric}` : chart.metric, grid: true, ticks: Math.max(3, Math.floor(width / 110)) },
      y: { domain: rows.map((row) => row.name), type: "band", axis: null },
      marks: [
        ...(chart.zero ? [Plot.ruleX([0], { stroke: "var(--ink)", strokeWidth: 1.5 })] : []),
        ...rows.filter((row) => row.low !== null).map((row) =>
          Plot.link([row], { x1: "low", x2: "high", y: "y", dy: 9, stroke: own(row.colour), strokeWidth: 3, strokeOpacity: 0.75 })),
        ...dots.map((dot) => Plot.dot([dot], { x: "x", y: "y", dy: 9, r: 2.5, fill: own(dot.colour), fillOpacity: 0.6 })),
        ...rows.map((row) => Plot.dot([row], { x: "x", y: "y", dy: 9, r: 6, ...looksOf(row) })),
        Plot.text(rows, { text: "name", y: "y", frameAnchor: "left", dy: -10, fill: "var(--ink)", stroke: "var(--paper)", strokeWidth: 4, fontSize: 13 }),
        tip(rows, Plot.pointerY({ x: "x", y: "y", title: "text", maxRadius: 400 })),
      ],
    });
    return { svg, tips: rows };
  }

  // Ends over the values of a hyperparameter

  function drawSweep(chart, width) {
    const place = chart.distance_from_one ? (x) => -Math.log10(1 - x) : chart.log ? Math.log10 : (x) => x;
    const all = chart.rows.flatMap((row) => row.points.map((point) => ({ ...point, row: row.name })));
    const [low, high] = chart.shown, log = low > 0 && high > 10 * low;
    const edged = all.some((point) => point.mean === null);
    const room = (share) => (log ? (high / low) ** share : share * (high - low || Math.abs(high) || 1));
    const below = edged && !chart.worse_is_up ? 0.25 : 0.1, above = edged && chart.worse_is_up ? 0.25 : 0.1;
    const domain = log ? [low / room(below), high * room(above)] : [low - room(below), high + room(above)];
    const edge = chart.worse_is_up
      ? (log ? high * room(above * 0.7) : high + room(above * 0.7)) : (log ? low / room(below * 0.7) : low - room(below * 0.7));
    const points = all.map((point) => ({
      ...point, place: place(point.x), y: point.mean ?? edge, label: `${point.glyph}`,
      text: [
        `${chart.hyperparameter} ${number(point.x)}${point.row ? `, ${point.row}` : ""}`,
        ...(point.mean === null ? [] : [`mean ${number(point.mean)}`]),
        ...(point.low === null ? [] : [`${chart.spread} ${number(point.low)} to ${number(point.high)}`]),
        ...Object.entries(point.seeds).map(([seed, value]) => `seed ${seed}: ${number(value)}`),
        ...(point.words ? [point.words] : []),
      ].join("\n"),
    }));
    const ticks = [...new Set(points.map((point) => point.place))];
    const names = new Map(points.map((point) => [point.place, number(point.x)]));
    const crowded = ticks.length * 52 > width - 90;
    const reach = d3.extent(ticks), side = 0.06 * (reach[1] - reach[0]) || 0.5;
    const inside = (value) => value >= domain[0] && value <= domain[1];
    const svg = Plot.plot({
      width, height: Math.max(260, Math.min(380, width * 0.6)), marginLeft: 56, marginRight: 20, marginBottom: crowded ? 62 : 42, marginTop: 26, style: looks,
      x: {
        domain: [reach[0] - side, reach[1] + side], ticks, tickFormat: (at) => names.get(at), tickRotate: crowded ? -55 : 0,
        label: `${chart.hyperparameter}${chart.log ? " (log scale)" : ""}`,
      },
      y: { domain, type: log ? "log" : "linear", label: chart.metric, grid: true, ticks: log ? decades(domain) : 6, tickFormat: log ? number : undefined },
      marks: [
        ...chart.levels.flatMap(([name, colour, value]) => [
          Plot.ruleY([value], { stroke: own(colour), strokeDasharray: "6 4" }),
          Plot.text([name], { y: [value], frameAnchor: "right", dy: -8, text: (d) => d, fill: own(colour), stroke: "var(--paper)", strokeWidth: 3 }),
        ]),
        ...chart.rows.map((row) =>
          Plot.lineY(points.filter((p) => p.row === row.name && p.mean !== null && p.glyph !== "□" && p.glyph !== "■"), {
            x: "place", y: "y", stroke: own(row.colour), strokeDasharray: DASHES[row.dash], strokeWidth: 1.3,
          })),
        ...points.flatMap((point) => [
          Plot.dot(Object.values(point.seeds).filter(inside), { x: () => point.place, y: (d) => d, r: 2.5, fill: own(point.colour), fillOpacity: 0.55 }),
          ...(point.low === null ? [] : [Plot.link([point], { x: "place", y1: "low", y2: "high", stroke: own(point.colour), strokeWidth: 2.2, clip: true })]),
          ...(point.mean === null
            ? [Plot.dot([point], { x: "place", y: "y", symbol: point.glyph === "✗" ? "times" : "square", r: 6, stroke: own(point.colour), strokeWidth: 2.6 })]
            : [Plot.dot([point], { x: "place", y: "y", r: point.bold ? 6.5 : 5, fill: own(point.colour) })]),
          ...(point.bold ? [Plot.dot([point], { x: "place", y: "y", r: 11, stroke: "var(--ink)", strokeWidth: 2 })] : []),
          ...(point.label === "≈" ? [Plot.dot([point], { x: "place", y: "y", r: 9, symbol: "square2", stroke: "var(--soft)", strokeWidth: 1.4 })] : []),
        ]),
        tip(points, Plot.pointer({ x: "place", y: "y", title: "text", maxRadius: 80 })),
      ],
    });
    return { svg, tips: points.map((point) => ({ ...point, x: point.place })) };
  }

  // The same numbers as rows: for the table, and for CSV

  const seedsOf = (rows) => [...new Set(rows.flatMap((row) => Object.keys(row.seeds)))];

  const tables = {
    curves(chart) {
      const lines = chart.facets.flatMap((facet) => facet.lines);
      const columns = lines.flatMap((line) =>
        line.single
          ? Object.keys(line.seeds).map((seed) => ({ name: `${line.name}, seed ${seed}`, at: new Map(line.iterations.map((it, i) => [it, number(line.seeds[seed][i])])) }))
          : [{ name: line.name, at: new Map(means(line).map((p) => [p.iteration, spread(p.mean, p.deviation)])) }]);
      const iterations = d3.sort(new Set(lines.flatMap((line) => line.iterations)));
      return [["iteration", ...columns.map((c) => c.name)], ...iterations.map((it) => [counted(it), ...columns.map((c) => c.at.get(it) ?? "")])];
    },
    heat(chart) {
      const bins = d3.range(chart.bins).map((bin) => `${number(bin / chart.bins)} to ${number((bin + 1) / chart.bins)}`);
      return [["entry, iteration", ...bins], ...chart.facets.flatMap((grid) =>
        grid.iterations.map((it, i) => [`${grid.name}, ${counted(it)}`, ...grid.shares[i].map((share) => `${number(100 * share)} %`)]))];
    },
    intervals(chart) {
      const seeds = seedsOf(chart.rows);
      return [["", "mean", "low", "high", ...seeds.map((seed) => `seed ${seed}`)], ...chart.rows.map((row) =>
        [row.name, ...[row.mean, row.low, row.high, ...seeds.map((seed) => row.seeds[seed])].map(number)])];
    },
    sweep(chart) {
      const points = chart.rows.flatMap((row) => row.points), seeds = seedsOf(points);
      return [[chart.hyperparameter, "mean", "low", "high", ...seeds.map((seed) => `seed ${seed}`), ""], ...points.map((point) =>
        [...[point.x, point.mean, point.low, point.high, ...seeds.map((seed) => point.seeds[seed])].map(number), point.words])];
    },
  };

  const raw = {
    curves: (chart) => [["panel", "line", "seed", "iteration", chart.metric], ...chart.facets.flatMap((facet) => facet.lines.flatMap((line) =>
      Object.entries(line.seeds).flatMap(([seed, values]) => values.map((value, i) => [facet.name, line.name, seed, line.iterations[i], value ?? ""]))))],
    heat: (chart) => [["entry", "iteration", "scale_from", "scale_to", "share"], ...chart.facets.flatMap((grid) => grid.iterations.flatMap((it, i) =>
      grid.shares[i].map((share, bin) => [grid.name, it, bin / chart.bins, (bin + 1) / chart.bins, share])))],
    intervals: (chart) => [["name", "mean", "low", "high", ...seedsOf(chart.rows).map((seed) => `seed_${seed}`)], ...chart.rows.map((row) =>
      [row.name, row.mean, row.low ?? "", row.high ?? "", ...seedsOf(chart.rows).map((seed) => row.seeds[seed] ?? "")])],
    sweep: (chart) => {
      const points = chart.rows.flatMap((row) => row.points.map((point) => ({ ...point, row: row.name }))), seeds = seedsOf(points);
      return [["line", chart.hyperparameter, "mean", "low", "high", ...seeds.map((seed) => `seed_${seed}`), "remark"], ...points.map((p) =>
        [p.row, p.x, p.mean ?? "", p.low ?? "", p.high ?? "", ...seeds.map((seed) => p.seeds[seed] ?? ""), p.words])];
    },
  };

  function tableOf(chart) {
    const [heads, ...rows] = tables[chart.kind](chart);
    const head = element("tr", {}, ...heads.map((text, i) => element(text ? "th" : "td", text ? { scope: "col", className: i ? "number" : "" } : {}, text)));
    const body = rows.map(([first, ...others]) =>
      element("tr", {}, element("th", { scope: "row" }, first), ...others.map((text) => element("td", { className: "number" }, text))));
    const box = element("div", { className: "scroll tall", tabIndex: 0, role: "region", ariaLabel: `${chart.title}, as a table` },
      element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
    return box;
  }

  function keepAsCsv(chart) {
    const address = URL.createObjectURL(new Blob([d3.csvFormatRows(raw[chart.kind](chart))], { type: "text/csv" }));
    const link = element("a", { href: address, download: `${chart.slug}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  // With the keyboard: the arrows move the tip, and what it says is read out.

  function follow({ svg, tips }, words, live) {
    // What is within an image is not read out, so it needs no labels; Plot gives some where none may be.
    for (const mark of svg.querySelectorAll("[aria-label]")) {
      mark.dataset.mark = mark.getAttribute("aria-label");
      mark.removeAttribute("aria-label");
    }
    svg.setAttribute("role", "img");
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("aria-label", `${words} Left and right read out the values.`);
    let at = -1;
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step || !tips.length) return;
      event.preventDefault();
      at = Math.max(0, Math.min(tips.length - 1, at + step));
      const box = svg.getBoundingClientRect(), [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
      const [x, y] = [svg.scale("x"), svg.scale("y")], along = tips[at];
      const band = y.bandwidth ? y.bandwidth / 2 : 0;
      const clientX = box.left + (x.apply(along.x) * box.width) / width;
      const clientY = along.y === undefined ? box.top + box.height / 2 : box.top + ((y.apply(along.y) + band) * box.height) / height;
      svg.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY, pointerType: "mouse", bubbles: true }));
      live.textContent = along.text.replaceAll("\n", "; ");
    });
    svg.addEventListener("blur", () => svg.dispatchEvent(new PointerEvent("pointerleave", { pointerType: "mouse" })));
  }

  function panels(chart) {
    if (chart.kind === "curves") return chart.facets.map((facet) => ({ name: facet.name, lines: facet.lines, draw: (width) => drawCurves(chart, facet, width) }));
    if (chart.kind === "heat") return chart.facets.map((grid) => ({ name: grid.name, draw: (width) => drawHeat(chart, grid, width) }));
    return [{ name: "", draw: (width) => (chart.kind === "sweep" ? drawSweep : drawIntervals)(chart, width) }];
  }

  function set_up(figure) {
    const chart = charts.find((of) => of.slug === figure.dataset.chart);
    if (!chart) return () => {};
    const still = figure.querySelector(".still"), words = still?.getAttribute("aria-label") ?? figure.dataset.words;
    still?.remove();
    const live = element("p", { className: "unseen", ariaLive: "polite" });
    const place = element("div", { className: "panels" });
    const table = element("div", { hidden: true });
    const as_table = element("button", { type: "button", ariaPressed: "false" }, "Table");
    as_table.addEventListener("click", () => {
      const shown = as_table.ariaPressed !== "true";
      as_table.ariaPressed = String(shown);
      if (shown && !table.firstChild) table.append(tableOf(chart));
      table.hidden = !shown;
      place.hidden = shown;
      if (!shown) draw();
    });
    const csv = element("button", { type: "button" }, "CSV");
    csv.addEventListener("click", () => keepAsCsv(chart));
    const tools = element("div", { className: "tools", role: "group", ariaLabel: chart.title }, as_table, csv);
    figure.prepend(element("div", { className: "head" }, element("h3", {}, chart.title), tools), place, table, live);
    const draw = () => {
      if (place.hidden) return;
      const of = panels(chart);
      place.classList.toggle("several", of.length > 1);
      // Made empty first, so that the width is that of the column and not of what stands in it.
      place.replaceChildren(...of.map((panel) => element("div", { className: "panel" })));
      of.forEach((panel, i) => {
        const box = place.children[i];
        if (panel.name) box.append(element("h4", {}, panel.name));
        if (panel.lines) box.append(legend(panel.lines));
        const drawn = panel.draw(Math.max(240, Math.floor(box.clientWidth)));
        follow(drawn, of.length > 1 ? `${chart.title}, ${panel.name}. ${words}` : words, live);
        box.append(drawn.svg);
      });
    };
    return draw;
  }

  const draws = [...document.querySelectorAll("figure[data-chart]")].map(set_up);
  const drawAll = () => draws.forEach((draw) => draw());
  const form = document.querySelector("form.controls");
  if (form && draws.length) {
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", () => {
      smoothing = Number(form.smoothing.value);
      logarithms = { own: null, log: true, linear: false }[form.scale.value];
      drawAll();
    });
  }
  // Charts within what is folded away have no width until it is opened.
  document.querySelectorAll("details").forEach((of) => of.addEventListener("toggle", () => of.open && drawAll()));
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => {
    if (Math.abs(contentRect.width - width) < 1) return;
    width = contentRect.width;
    requestAnimationFrame(drawAll);
  }).observe(document.querySelector("main"));

  const copy = document.querySelector(".yaml button");
  if (copy && navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.querySelector(".yaml code").textContent);
      copy.textContent = "Copied";
    });
  }
})();
