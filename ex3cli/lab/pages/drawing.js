"use strict";
/* What the replay and the live page share: colors, the square, the charts.
   A view holds fake, pull, mesh (Float32Array of x, y), meshShape, heat (Uint8Array), heatReach, heatSide;
   curves hold epoch, discriminator_loss, generator_loss, kl, js, w and modes, an entry for each evaluation. */
const Drawing = (() => {
  const $ = (id) => document.getElementById(id);
  const MARGIN = { left: 44, right: 10, top: 8, bottom: 20 };
  const CHARTS = {
    losses: [["discriminator_loss", "real"], ["generator_loss", "fake"]],
    nats: [["kl", "pull"], ["js", "js"]],
    transport: [["w", "w"]],
  };
  const NAMES = { discriminator_loss: "discriminator", generator_loss: "generator", kl: "KL", js: "JS", w: "W" };

  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const positions = (words) => Float32Array.from(words, (v) => (v / 65535) * 2 - 0.5);
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const dark = () => document.documentElement.dataset.theme === "dark";
  const number = (v, digits = 3) => (v === null || v === undefined || !Number.isFinite(v) ? "not a number" : v.toFixed(digits));
  const whole = (v) => v.toLocaleString("en");

  function fit(canvas) {
    const ratio = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
    const width = Math.max(1, Math.round(box.width * ratio)), height = Math.max(1, Math.round(box.height * ratio));
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, box.width, box.height);
    return [context, box.width, box.height];
  }

  const small = document.createElement("canvas");
  function drawHeat(context, size, view) {
    const side = view.heatSide;
    small.width = small.height = side;
    const ends = dark() ? [[122, 58, 28], [28, 32, 38], [20, 84, 122]] : [[242, 184, 160], [255, 255, 255], [156, 201, 227]];
    const brush = small.getContext("2d"), image = brush.createImageData(side, side);
    for (let row = 0; row < side; row++) for (let column = 0; column < side; column++) {
      const value = view.heat[row * side + column] / 255, place = ((side - 1 - row) * side + column) * 4;
      const [a, b] = value < 0.5 ? [ends[0], ends[1]] : [ends[1], ends[2]], t = value < 0.5 ? value * 2 : value * 2 - 1;
      for (let k = 0; k < 3; k++) image.data[place + k] = a[k] + (b[k] - a[k]) * t;
      image.data[place + 3] = 255;
    }
    brush.putImageData(image, 0, 0);
    context.imageSmoothingEnabled = true;
    context.drawImage(small, 0, 0, size, size);
  }

  function drawDots(context, size, points, name, radius = 2.4) {
    context.fillStyle = color(name);
    context.globalAlpha = 0.75;
    for (let i = 0; i < points.length; i += 2) {
      context.beginPath();
      context.arc(points[i] * size, (1 - points[i + 1]) * size, radius, 0, 7);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  function drawManifold(context, size, view) {
    const [rows, columns] = view.meshShape, at = (r, c) => {
      const place = (r * columns + c) * 2;
      return [view.mesh[place] * size, (1 - view.mesh[place + 1]) * size];
    };
    context.strokeStyle = color("ink");
    context.globalAlpha = 0.55;
    context.lineWidth = 0.8;
    context.beginPath();
    for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) {
      if (c + 1 < columns) { context.moveTo(...at(r, c)); context.lineTo(...at(r, c + 1)); }
      if (r + 1 < rows) { context.moveTo(...at(r, c)); context.lineTo(...at(r + 1, c)); }
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  function drawArrows(context, size, view) {
    const { fake, pull } = view;
    let longest = 0;
    for (let i = 0; i < pull.length; i += 2) longest = Math.max(longest, Math.hypot(pull[i], pull[i + 1]) || 0);
    if (!longest) return;
    context.strokeStyle = color("pull");
    context.lineWidth = 1.6;
    context.beginPath();
    for (let i = 0; i < pull.length; i += 2) {
      const x = fake[i] * size, y = (1 - fake[i + 1]) * size;
      const dx = (pull[i] / longest) * 0.08 * size, dy = (-pull[i + 1] / longest) * 0.08 * size;
      context.moveTo(x, y);
      context.lineTo(x + dx, y + dy);
      const length = Math.hypot(dx, dy);
      if (length > 4) for (const turn of [2.6, -2.6]) {
        const c = Math.cos(turn), s = Math.sin(turn), head = 4 / length;
        context.moveTo(x + dx, y + dy);
        context.lineTo(x + dx + (dx * c - dy * s) * head, y + dy + (dx * s + dy * c) * head);
      }
    }
    context.stroke();
  }

  /* Draws the square with what is switched on; `drawReal(context, size)` draws the real points. */
  function drawSquare(view, drawReal) {
    const [context, size] = fit($("square"));
    if (view && $("heat").checked) drawHeat(context, size, view);
    if (view && $("manifold").checked && view.meshShape) drawManifold(context, size, view);
    if ($("real").checked) drawReal(context, size);
    if (view && $("fake").checked) drawDots(context, size, view.fake, "fake");
    if (view && $("pull").checked) drawArrows(context, size, view);
    return [context, size];
  }

  function scale(id, curves) {
    const all = CHARTS[id].flatMap(([key]) => curves[key]).filter((v) => v !== null && Number.isFinite(v)).sort((a, b) => a - b);
    if (!all.length) return [0, 1];
    const pick = (q) => all[Math.min(all.length - 1, Math.floor(q * all.length))];
    const low = id === "losses" ? pick(0.01) : Math.min(0, all[0]);
    let high = pick(0.99);
    if (!(high > low)) high = low + 1;
    const room = (high - low) * 0.06;
    return [id === "losses" ? low - room : low, high + room];
  }
  function ticks(low, high) {  // the multiples of 1, 2 or 5 times a power of ten, at most six
    const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough || 1));
    const step = power * [1, 2, 5, 10].find((each) => each * power >= rough * 0.999), found = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(Number((i * step).toPrecision(12)));
    return found;
  }
  const across = (width, epoch, last) => MARGIN.left + ((width - MARGIN.left - MARGIN.right) * epoch) / (last || 1);

  /* Draws a chart of the curves, with a line at entry `now` and W's baseline dashed. */
  function drawChart(id, curves, now, baseline) {
    const [context, width, height] = fit($(id)), [low, high] = scale(id, curves);
    const last = curves.epoch[curves.epoch.length - 1];
    const up = (v) => MARGIN.top + (height - MARGIN.top - MARGIN.bottom) * (1 - (Math.min(Math.max(v, low), high) - low) / (high - low));
    context.font = "12px system-ui, sans-serif";
    context.strokeStyle = color("line");
    context.fillStyle = color("faint");
    context.lineWidth = 1;
    const values = ticks(low, high), digits = Math.max(...values.map((v) => (String(v).split(".")[1] || "").length));
    for (const value of values) {
      const y = up(value);
      context.beginPath(); context.moveTo(MARGIN.left, y); context.lineTo(width - MARGIN.right, y); context.stroke();
      context.textAlign = "right"; context.fillText(value.toFixed(digits), MARGIN.left - 5, y + 4);
    }
    for (const epoch of last ? ticks(0, last) : []) {
      const x = across(width, epoch, last);
      context.textAlign = !epoch ? "left" : x > width - MARGIN.right - 16 ? "right" : "center";
      context.fillText(whole(epoch), x, height - 5);
    }
    if (id === "transport" && baseline) {
      context.setLineDash([5, 4]); context.strokeStyle = color("faint");
      context.beginPath(); context.moveTo(MARGIN.left, up(baseline.w)); context.lineTo(width - MARGIN.right, up(baseline.w)); context.stroke();
      context.setLineDash([]);
    }
    if (now < 0) return;
    for (const [key, name] of CHARTS[id]) {
      context.strokeStyle = color(name); context.lineWidth = 1.6; context.beginPath();
      let pen = false;
      curves[key].forEach((value, i) => {
        if (value === null) { pen = false; return; }
        const x = across(width, curves.epoch[i], last), y = up(value);
        if (pen) context.lineTo(x, y); else context.moveTo(x, y);
        pen = true;
      });
      context.stroke();
      const current = curves[key][now];
      if (current !== null) {
        context.fillStyle = color(name); context.beginPath();
        context.arc(across(width, curves.epoch[now], last), up(current), 4, 0, 7); context.fill();
      }
    }
    context.strokeStyle = color("ink"); context.lineWidth = 1; context.globalAlpha = 0.5;
    const x = across(width, curves.epoch[now], last);
    context.beginPath(); context.moveTo(x, MARGIN.top); context.lineTo(x, height - MARGIN.bottom); context.stroke();
    context.globalAlpha = 1;
  }

  /* The numbers of an entry of the curves; the baseline {kl, js, w} is what real points score. */
  function measures(curves, now, baseline, modes) {
    const beside = ["kl", "js", "w"].map((key) => `${NAMES[key]} ${number(curves[key][now])} (baseline ${number(baseline[key], 4)})`);
    return `${beside.join(", ")}, modes ${curves.modes[now]} of ${modes}`;
  }

  function nearest(id, x, curves) {  // the entry of the curves at a chart's x
    const width = $(id).getBoundingClientRect().width, last = curves.epoch[curves.epoch.length - 1];
    let best = 0;
    curves.epoch.forEach((epoch, i) => {
      if (Math.abs(across(width, epoch, last) - x) < Math.abs(across(width, curves.epoch[best], last) - x)) best = i;
    });
    return best;
  }
  const belief = (view, place) => 0.5 + ((view.heat[place] / 255) * 2 - 1) * view.heatReach;

  /* Writes what lies under the pointer: the discriminator, an arrow, or the numbers of a chart. */
  function readValue(pointer, view, curves) {
    if (!pointer) return;
    const { id, x, y, width, height } = pointer;
    if (id === "square") {
      if (!view) return;
      const px = x / width, py = 1 - y / height, side = view.heatSide;
      const column = Math.min(side - 1, Math.max(0, Math.floor(px * side))), row = Math.min(side - 1, Math.max(0, Math.floor(py * side)));
      let text = `x ${number(px)}, y ${number(py)}: discriminator ${number(belief(view, row * side + column))}`;
      let best = 0.04, found = -1;
      for (let i = 0; i < view.pull.length; i += 2) {
        const distance = Math.hypot(view.fake[i] - px, view.fake[i + 1] - py);
        if (distance < best) { best = distance; found = i; }
      }
      if (found >= 0) text += `; gradient here (${number(view.pull[found])}, ${number(view.pull[found + 1])})`;
      $("value").textContent = text;
    } else if (curves.epoch.length) {
      const i = nearest(id, x, curves);
      $("value").textContent = `Epoch ${whole(curves.epoch[i])}: ` +
        CHARTS[id].map(([key]) => `${NAMES[key]} ${number(curves[key][i], 4)}`).join(", ");
    }
  }

  function place(event, canvas) {
    const box = canvas.getBoundingClientRect();
    return { id: canvas.id, x: event.clientX - box.left, y: event.clientY - box.top, width: box.width, height: box.height };
  }

  function setTheme(name) {
    document.documentElement.dataset.theme = name;
    $("theme").textContent = name === "dark" ? "Light colors" : "Dark colors";
  }
  const preferredTheme = () => (window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

  return { $, CHARTS, bytes, positions, color, dark, number, whole, fit, drawDots, drawSquare, drawChart, measures, nearest, readValue, place, setTheme, preferredTheme };
})();
