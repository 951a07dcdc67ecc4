"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const places = (text) => Float32Array.from(new Uint16Array(bytes(text).buffer), (v) => (v / 65535) * 2 - 0.5);
  const frames = data.epoch.length;
  const real = places(data.real), fake = places(data.fake), mesh = places(data.manifold), heat = bytes(data.heat);
  const pull = new Float32Array(bytes(data.pull).buffer);
  const perFake = fake.length / frames, perPull = pull.length / frames, perMesh = mesh.length / frames, side = data.heat_side;
  let frame = 0, playing = false, last = 0, pointer = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const dark = () => document.documentElement.dataset.theme === "dark";
  const belief = (place) => 0.5 + ((heat[frame * side * side + place] / 255) * 2 - 1) * data.heat_reach[frame];
  const number = (v, digits = 3) => (v === null || !Number.isFinite(v) ? "not a number" : v.toFixed(digits));

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
  small.width = small.height = side;
  function drawHeat(context, size) {
    const ends = dark() ? [[122, 58, 28], [28, 32, 38], [20, 84, 122]] : [[242, 184, 160], [255, 255, 255], [156, 201, 227]];
    const brush = small.getContext("2d"), image = brush.createImageData(side, side);
    for (let row = 0; row < side; row++) for (let column = 0; column < side; column++) {
      const value = heat[(frame * side + row) * side + column] / 255, place = ((side - 1 - row) * side + column) * 4;
      const [a, b] = value < 0.5 ? [ends[0], ends[1]] : [ends[1], ends[2]], t = value < 0.5 ? value * 2 : value * 2 - 1;
      for (let k = 0; k < 3; k++) image.data[place + k] = a[k] + (b[k] - a[k]) * t;
      image.data[place + 3] = 255;
    }
    brush.putImageData(image, 0, 0);
    context.imageSmoothingEnabled = true;
    context.drawImage(small, 0, 0, size, size);
  }

  function dots(context, points, from, count, size, fill) {
    context.fillStyle = fill;
    context.globalAlpha = 0.75;
    for (let i = 0; i < count; i += 2) {
      context.beginPath();
      context.arc(points[from + i] * size, (1 - points[from + i + 1]) * size, 2.4, 0, 7);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  function drawManifold(context, size) {
    const [rows, columns] = data.mesh, at = (r, c) => {
      const place = frame * perMesh + (r * columns + c) * 2;
      return [mesh[place] * size, (1 - mesh[place + 1]) * size];
    };
    context.strokeStyle = colour("ink");
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

  function drawPull(context, size) {
    let longest = 0;
    for (let i = 0; i < perPull; i += 2) longest = Math.max(longest, Math.hypot(pull[frame * perPull + i], pull[frame * perPull + i + 1]) || 0);
    if (!longest) return;
    context.strokeStyle = colour("pull");
    context.lineWidth = 1.6;
    context.beginPath();
    for (let i = 0; i < perPull; i += 2) {
      const x = fake[frame * perFake + i] * size, y = (1 - fake[frame * perFake + i + 1]) * size;
      const dx = (pull[frame * perPull + i] / longest) * 0.08 * size, dy = (-pull[frame * perPull + i + 1] / longest) * 0.08 * size;
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

  function drawSquare() {
    const [context, size] = fit($("square"));
    if ($("heat").checked) drawHeat(context, size);
    if ($("manifold").checked && data.mesh) drawManifold(context, size);
    if ($("real").checked) dots(context, real, 0, real.length, size, colour("real"));
    if ($("fake").checked) dots(context, fake, frame * perFake, perFake, size, colour("fake"));
    if ($("pull").checked) drawPull(context, size);
  }

  const MARGIN = { left: 44, right: 10, top: 8, bottom: 20 };
  const charts = {
    losses: [["discriminator_loss", "real"], ["generator_loss", "fake"]],
    nats: [["kl", "pull"], ["js", "js"]],
    transport: [["w", "w"]],
  };
  function scale(id) {
    const all = charts[id].flatMap(([key]) => data[key]).filter((v) => v !== null && Number.isFinite(v)).sort((a, b) => a - b);
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
  const across = (width, epoch) => MARGIN.left + ((width - MARGIN.left - MARGIN.right) * epoch) / (data.epoch[frames - 1] || 1);
  function drawChart(id) {
    const [context, width, height] = fit($(id)), [low, high] = scale(id);
    const up = (v) => MARGIN.top + (height - MARGIN.top - MARGIN.bottom) * (1 - (Math.min(Math.max(v, low), high) - low) / (high - low));
    context.font = "12px system-ui, sans-serif";
    context.strokeStyle = colour("line");
    context.fillStyle = colour("faint");
    context.lineWidth = 1;
    const values = ticks(low, high), digits = Math.max(...values.map((v) => (String(v).split(".")[1] || "").length));
    for (const value of values) {
      const y = up(value);
      context.beginPath(); context.moveTo(MARGIN.left, y); context.lineTo(width - MARGIN.right, y); context.stroke();
      context.textAlign = "right"; context.fillText(value.toFixed(digits), MARGIN.left - 5, y + 4);
    }
    context.textAlign = "center";
    for (const epoch of ticks(0, data.epoch[frames - 1])) {
      const x = across(width, epoch);
      context.textAlign = !epoch ? "left" : x > width - MARGIN.right - 16 ? "right" : "center";
      context.fillText(epoch.toLocaleString("en"), x, height - 5);
    }
    if (id === "transport") {
      context.setLineDash([5, 4]); context.strokeStyle = colour("faint");
      context.beginPath(); context.moveTo(MARGIN.left, up(data.floor_w)); context.lineTo(width - MARGIN.right, up(data.floor_w)); context.stroke();
      context.setLineDash([]);
    }
    for (const [key, name] of charts[id]) {
      context.strokeStyle = colour(name); context.lineWidth = 1.6; context.beginPath();
      let pen = false;
      data[key].forEach((value, i) => {
        if (value === null) { pen = false; return; }
        const x = across(width, data.epoch[i]), y = up(value);
        if (pen) context.lineTo(x, y); else context.moveTo(x, y);
        pen = true;
      });
      context.stroke();
      const now = data[key][frame];
      if (now !== null) { context.fillStyle = colour(name); context.beginPath(); context.arc(across(width, data.epoch[frame]), up(now), 4, 0, 7); context.fill(); }
    }
    context.strokeStyle = colour("ink"); context.lineWidth = 1; context.globalAlpha = 0.5;
    context.beginPath(); const x = across(width, data.epoch[frame]); context.moveTo(x, MARGIN.top); context.lineTo(x, height - MARGIN.bottom); context.stroke();
    context.globalAlpha = 1;
  }

  function describe() {
    const text = `Epoch ${data.epoch[frame].toLocaleString("en")}: KL ${number(data.kl[frame])}, JS ${number(data.js[frame])} nats, ` +
      `W ${number(data.w[frame])} (floor ${number(data.floor_w)}), modes ${data.modes[frame]} of ${data.of_modes}, ` +
      `colours from ${number(0.5 - data.heat_reach[frame], 2)} to ${number(0.5 + data.heat_reach[frame], 2)}`;
    $("numbers").textContent = text;
    $("scrub").value = frame;
    $("scrub").setAttribute("aria-valuetext", text);
    $("square").setAttribute("aria-label", "Real and generated points on the discriminator's heat map. " + text);
  }

  function read() {
    if (!pointer) return;
    const { id, x, y, width, height } = pointer;
    if (id === "square") {
      const px = x / width, py = 1 - y / height;
      const column = Math.min(side - 1, Math.max(0, Math.floor(px * side))), row = Math.min(side - 1, Math.max(0, Math.floor(py * side)));
      let text = `x ${number(px)}, y ${number(py)}: discriminator ${number(belief(row * side + column))}`;
      let best = 0.04, found = -1;
      for (let i = 0; i < perPull; i += 2) {
        const distance = Math.hypot(fake[frame * perFake + i] - px, fake[frame * perFake + i + 1] - py);
        if (distance < best) { best = distance; found = i; }
      }
      if (found >= 0) text += `; gradient here (${number(pull[frame * perPull + found])}, ${number(pull[frame * perPull + found + 1])})`;
      $("value").textContent = text;
    } else {
      const i = nearest(x, width);
      const names = { discriminator_loss: "discriminator", generator_loss: "generator", kl: "KL", js: "JS", w: "W" };
      $("value").textContent = `Epoch ${data.epoch[i].toLocaleString("en")}: ` +
        charts[id].map(([key]) => `${names[key]} ${number(data[key][i], 4)}`).join(", ");
    }
  }
  function nearest(x, width) {
    let best = 0;
    data.epoch.forEach((epoch, i) => { if (Math.abs(across(width, epoch) - x) < Math.abs(across(width, data.epoch[best]) - x)) best = i; });
    return best;
  }

  function draw() { drawSquare(); Object.keys(charts).forEach(drawChart); describe(); read(); }
  function go(to) { frame = Math.min(frames - 1, Math.max(0, to)); draw(); }
  function setPlaying(on) {
    playing = on && frames > 1;
    if (playing && frame === frames - 1) frame = 0;
    $("play").textContent = playing ? "Pause" : "Play";
    $("numbers").setAttribute("aria-live", playing ? "off" : "polite");
    last = performance.now();
    if (playing) requestAnimationFrame(tick);
    draw();
  }
  function tick(now) {
    if (!playing) return;
    const due = Math.floor(((now - last) / 1000) * Number($("speed").value));
    if (due > 0) {
      last = now;
      go(frame + due);
      if (frame === frames - 1) return setPlaying(false);
    }
    requestAnimationFrame(tick);
  }
  function speed(step) {
    const list = $("speed");
    list.selectedIndex = Math.min(list.options.length - 1, Math.max(0, list.selectedIndex + step));
  }
  function theme(name) {
    document.documentElement.dataset.theme = name;
    $("theme").textContent = name === "dark" ? "Light colours" : "Dark colours";
    draw();
  }

  $("scrub").max = frames - 1;
  $("play").addEventListener("click", () => setPlaying(!playing));
  $("scrub").addEventListener("input", () => { const to = Number($("scrub").value); setPlaying(false); go(to); });
  $("theme").addEventListener("click", () => theme(dark() ? "light" : "dark"));
  ["heat", "real", "fake", "pull", "manifold"].forEach((id) => $(id).addEventListener("change", draw));
  if (!data.mesh) $("manifold").closest("label").hidden = true;
  ["square", ...Object.keys(charts)].forEach((id) => {
    const canvas = $(id);
    canvas.addEventListener("pointermove", (event) => {
      const box = canvas.getBoundingClientRect();
      pointer = { id, x: event.clientX - box.left, y: event.clientY - box.top, width: box.width, height: box.height };
      read();
    });
    canvas.addEventListener("pointerleave", () => { pointer = null; });
    if (id !== "square") canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      setPlaying(false); go(nearest(event.clientX - box.left, box.width));
    });
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const tag = event.target.tagName, own = tag === "SELECT" || (tag === "INPUT" && event.target.type !== "range");
    if (event.key === " " && tag !== "BUTTON" && !own) { event.preventDefault(); setPlaying(!playing); }
    else if (own || (tag === "INPUT" && event.key !== "+" && event.key !== "-")) return;
    else if (event.key === "ArrowRight") { event.preventDefault(); setPlaying(false); go(frame + 1); }
    else if (event.key === "ArrowLeft") { event.preventDefault(); setPlaying(false); go(frame - 1); }
    else if (event.key === "Home") { event.preventDefault(); setPlaying(false); go(0); }
    else if (event.key === "End") { event.preventDefault(); setPlaying(false); go(frames - 1); }
    else if (event.key === "+" || event.key === "=") speed(1);
    else if (event.key === "-") speed(-1);
  });
  window.addEventListener("resize", draw);
  frame = frames - 1;
  theme(window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
})();
