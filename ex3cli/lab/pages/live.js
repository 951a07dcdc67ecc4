(() => {
  const { $, CHARTS, bytes, positions, color, dark, number, whole, drawDots, drawSquare, drawChart, measures, readValue, place, setTheme, preferredTheme } = Drawing;
  const MOST_POINTS = 20000, MOST_EVALUATIONS = 2000, PICTURE = '{"do":"picture"}';
  const PAGE = Array.from(crypto.getRandomValues(new Uint32Array(4)), (v) => v.toString(16)).join("");
  const CALM = window.matchMedia("(prefers-reduced-motion: reduce)");
  const first = JSON.parse($("data").textContent).canvas;

  let socket = null, retry = 500, final = false;
  let points = [], kept = 1, source = { points: true };  // x, y, x, y …; the share of a stroke's points that is kept
  let changed = true, waiting = "";                      // whether drawing or settings differ from the training's
  let view = null, state = {}, curves = noCurves(), baseline = null, saving = false;
  let pointer = null, cursor = null, stroke = null, due = false;

  function noCurves() {
    return { epoch: [], modes: [], discriminator_loss: [], generator_loss: [], kl: [], js: [], w: [] };
  }

  /* --- the connection --- */

  function send(message) {
    if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }
  function connect() {
    const own = socket = new WebSocket(`ws://${location.host}${location.pathname}live`);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => { retry = 500; send({ page: PAGE }); });
    socket.addEventListener("message", (event) => {
      if (typeof event.data === "string") receive(JSON.parse(event.data)); else receiveState(event.data);
    });
    socket.addEventListener("close", (event) => {
      if (own !== socket) return;
      setSaving(false);
      enable(false);
      if (final || event.code === 4001 || event.code === 4002) { final = true; say("Not connected."); return; }
      if (event.code === 1009) fail("the message was too large", "load a file of at most 5.9 million bytes");
      say("The connection is lost; trying again. If ex3 lab draw has ended, start it again.");
      setTimeout(connect, retry);
      retry = Math.min(5000, retry * 2);
    });
  }
  function receive(message) {
    if (message.kind === "welcome") {
      say("Starting the training process …");
      if (message.known) {
        send({ do: "resend" });
        if (state.running) send({ do: "run", speed: speed() });
      } else {
        changed = true;
        if (!view && first) send(first);
      }
      send({ do: "start" });
      socket.send(PICTURE);
    } else if (message.kind === "started") {
      enable(true);
      if (!points.length) say("Ready. Draw on the square, then train.");
      else if ($("status").textContent.startsWith("Starting")) say("Ready.");
    } else if (message.kind === "source") {
      points = Array.from(new Float32Array(bytes(message.points).buffer));
      kept = 1;
      source = message.file ? { file: true } : { preset: message.name };
      edited(false);
      $("preset").value = message.file ? "" : message.name;
      say([`${message.name} is on the canvas.`, ...message.remarks].join(" "));
    } else if (message.kind === "ready") {
      baseline = message.baseline;
      curves = noCurves();
      view = null;
      $("command").textContent = message.command;
      const next = waiting;
      waiting = "";
      if (next) begin(next);
    } else if (message.kind === "saving") {
      say(`Saving: ex3 lab train runs from the seed, epoch ${whole(message.epoch)}.`);
      answerLater();
    } else if (message.kind === "saved") {
      setSaving(false);
      say(`Saved as ${message.folder}: ${message.verdict}`);
    } else if (message.kind === "panel") {
      const link = document.createElement("a");
      link.href = "data:image/png;base64," + message.png;
      link.download = message.name;
      link.click();
      say(`${message.name} is with your downloads.`);
    } else if (message.kind === "error") {
      if (saving) setSaving(false);
      waiting = "";
      fail(message.cause, message.remedy);
    }
  }
  function receiveState(buffer) {
    const length = new DataView(buffer).getUint32(0, true);
    state = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
    let start = 4 + length;
    const take = (kind, count) => { const found = new kind(buffer, start, count); start += found.byteLength; return found; };
    const pull = take(Float32Array, state.pull), fake = positions(take(Uint16Array, state.fake));
    const mesh = state.mesh ? positions(take(Uint16Array, state.mesh[0] * state.mesh[1] * 2)) : new Float32Array(0);
    view = { fake, pull, mesh, meshShape: state.mesh, heat: take(Uint8Array, state.heat_side ** 2), heatReach: state.heat_reach, heatSide: state.heat_side };
    if (state.evaluations.epoch[0] === 0) curves = noCurves();  // all of them are sent again
    for (const key of Object.keys(curves)) curves[key].push(...state.evaluations[key]);
    if (curves.epoch.length > MOST_EVALUATIONS)  // the newest stays
      for (const key of Object.keys(curves)) curves[key] = curves[key].filter((_, i, all) => (all.length - 1 - i) % 2 === 0);
    drawSoon();
    answerLater();
  }
  function answerLater() {  // the next picture, once this one is drawn
    const ask = () => requestAnimationFrame(() => { if (socket.readyState === WebSocket.OPEN) socket.send(PICTURE); });
    if (CALM.matches) setTimeout(ask, 1000); else ask();
  }

  /* --- commands --- */

  const speed = () => Number($("speed").value);
  const canvasText = () => {
    const lines = ["x,y"];
    for (let i = 0; i < points.length; i += 2) lines.push(`${points[i].toFixed(4)},${points[i + 1].toFixed(4)}`);
    return points.length ? lines.join("\n") + "\n" : "";
  };
  function setUp(next) {
    const settings = {};
    for (const field of document.querySelectorAll("[data-setting]")) settings[field.dataset.setting] = field.value;
    waiting = next;
    changed = false;
    $("error").textContent = "";
    say("Measuring the baseline …");
    send({ do: "setup", settings, seed: $("seed").value, source: source.points ? { points: canvasText() } : source });
  }
  const COMMANDS = {
    train: () => { send({ do: "run", speed: speed() }); say("Training."); },
    epoch: () => send({ do: "step", part: "epoch" }),
    discriminator: () => send({ do: "step", part: "discriminator" }),
    generator: () => send({ do: "step", part: "generator" }),
    save: () => { setSaving(true); say("Saving: ex3 lab train runs from the seed."); send({ do: "save" }); },
    panel: () => { say("Drawing the panel …"); send({ do: "panel" }); },
    reset: () => say("At epoch 0."),
  };
  function begin(name) {
    $("error").textContent = "";
    if (changed) setUp(name); else COMMANDS[name]();
  }
  function pause() { send({ do: "pause" }); say("Paused."); }
  function toggle() { if (state.running && !changed) pause(); else begin("train"); }
  function edited(own = true) {
    if (own) { source = { points: true }; $("preset").value = ""; }
    if (state.running) send({ do: "pause" });
    changed = true;
    $("counted").textContent = `${whole(points.length / 2)} point${points.length === 2 ? "" : "s"}`;
    drawSoon();
  }
  function newTraining() { changed = true; if (state.running) send({ do: "pause" }); label(); }

  /* --- drawing on the square --- */

  const radius = () => Number($("size").value) / 100;
  function dab(x, y, count) {
    if ($("eraser").checked) {
      const reach = radius() ** 2, left = [];
      for (let i = 0; i < points.length; i += 2)
        if ((points[i] - x) ** 2 + (points[i + 1] - y) ** 2 > reach) left.push(points[i], points[i + 1]);
      points = left;
      return;
    }
    for (let i = 0; i < count; i++) {
      if (kept < 1 && Math.random() > kept) continue;
      const r = radius() * Math.sqrt(Math.random()), angle = 2 * Math.PI * Math.random();
      points.push(Math.min(1, Math.max(0, x + r * Math.cos(angle))), Math.min(1, Math.max(0, y + r * Math.sin(angle))));
    }
    if (points.length > 2 * MOST_POINTS) {  // thin evenly, and later strokes alike
      points = points.filter((_, i) => i % 4 < 2);
      kept /= 2;
    }
  }
  function drag(x, y) {  // a stroke's points are even along its length
    const length = Math.hypot(x - stroke.x, y - stroke.y), spacing = radius() / 2;
    for (stroke.rest += length; stroke.rest >= spacing; stroke.rest -= spacing) {
      const t = length ? 1 - (stroke.rest - spacing) / length : 1;
      dab(stroke.x + (x - stroke.x) * Math.min(1, Math.max(0, t)), stroke.y + (y - stroke.y) * Math.min(1, Math.max(0, t)), 4);
    }
    stroke.x = x;
    stroke.y = y;
    edited();
  }
  const spot = (event) => {
    const at = place(event, $("square"));
    return [Math.min(1, Math.max(0, at.x / at.width)), Math.min(1, Math.max(0, 1 - at.y / at.height))];
  };
  const square = $("square");
  square.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const [x, y] = spot(event);
    square.setPointerCapture(event.pointerId);
    stroke = { x, y, rest: 0 };
    cursor = null;
    dab(x, y, 8);
    edited();
  });
  square.addEventListener("pointermove", (event) => {
    if (stroke) for (const each of event.getCoalescedEvents?.() ?? [event]) drag(...spot(each));
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) square.addEventListener(name, () => { stroke = null; });
  square.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 0.05 : 0.01, moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (moves[event.key]) {
      cursor = cursor || [0.5, 0.5];
      cursor = cursor.map((v, i) => Math.min(1, Math.max(0, v + moves[event.key][i])));
      $("value").textContent = `cursor at x ${number(cursor[0], 2)}, y ${number(cursor[1], 2)}`;
      drawSoon();
    } else if (event.key === "Enter") {
      cursor = cursor || [0.5, 0.5];
      dab(...cursor, 8);
      edited();
    } else return;
    event.preventDefault();
  });

  /* --- what is shown --- */

  function say(text) { $("status").textContent = text; }
  function fail(cause, remedy) { $("error").textContent = `${cause[0].toUpperCase()}${cause.slice(1)}. Remedy: ${remedy}.`; say(""); }
  function enable(on) {
    for (const id of ["train", "step-epoch", "step-discriminator", "step-generator", "reset", "save", "panel", "preset", "file"])
      $(id).disabled = !on;
  }
  function setSaving(on) {
    saving = on;
    enable(!on);
    $("save").disabled = false;
    $("save").textContent = on ? "Cancel saving" : "Save run";
  }
  function label() { $("train").textContent = state.running && !changed ? "Pause" : "Train"; }
  function drawSoon() {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; draw(); });
  }

  const layer = document.createElement("canvas");  // the real points, drawn again only when they change
  let drawn = "";
  function drawReal(context, size) {
    const ratio = window.devicePixelRatio || 1, key = [points.length, points[0], points[points.length - 1], size, color("real"), ratio].join();
    if (key !== drawn) {
      drawn = key;
      layer.width = layer.height = Math.max(1, Math.round(size * ratio));
      const own = layer.getContext("2d");
      own.setTransform(ratio, 0, 0, ratio, 0, 0);
      drawDots(own, size, points, "real", points.length > 4000 ? 1.4 : 2.2);
    }
    context.drawImage(layer, 0, 0, size, size);
  }
  function draw() {
    const [context, size] = drawSquare(view, drawReal);
    if (cursor && document.activeElement === square) {
      context.strokeStyle = color("ink");
      context.lineWidth = 2;
      context.beginPath();
      context.arc(cursor[0] * size, (1 - cursor[1]) * size, Math.max(3, radius() * size), 0, 7);
      context.stroke();
    }
    const now = curves.epoch.length - 1;
    Object.keys(CHARTS).forEach((id) => drawChart(id, curves, now, baseline));
    label();
    if (now < 0) return;
    const rate = state.rate ? `, ${whole(Math.round(state.rate))} epochs/s` : "";
    const text = `Epoch ${whole(state.epoch)}${rate}. Measured at epoch ${whole(curves.epoch[now])}: ${measures(curves, now, baseline, state.of_modes)}`;
    const alone = state.alone.discriminator + state.alone.generator;
    $("numbers").textContent = text + (alone ? `. Single steps outside of the epochs: ${alone}; a saved run has none.` : "");
    square.setAttribute("aria-label", "Canvas: real and generated points on the discriminator's heat map. " + text);
    if ($("verdict").textContent !== state.verdict) $("verdict").textContent = state.verdict;
    if (state.over && $("status").textContent === "Training.") say(state.converged ? "Converged." : "The attempt is over without convergence.");
    readValue(pointer, view, curves);
  }

  $("train").addEventListener("click", toggle);
  for (const part of ["epoch", "discriminator", "generator"]) $(`step-${part}`).addEventListener("click", () => begin(part));
  $("speed").addEventListener("change", () => { if (state.running && !changed) send({ do: "run", speed: speed() }); });
  $("seed").addEventListener("change", newTraining);
  $("new-seed").addEventListener("click", () => { $("seed").value = crypto.getRandomValues(new Uint32Array(1))[0]; setUp("reset"); });
  $("reset").addEventListener("click", () => setUp("reset"));
  $("save").addEventListener("click", () => { if (saving) send({ do: "cancel" }); else begin("save"); });
  $("panel").addEventListener("click", () => begin("panel"));
  $("clear").addEventListener("click", () => { points = []; kept = 1; edited(); say("The canvas is empty."); });
  $("preset").addEventListener("change", () => { if ($("preset").value) send({ do: "preset", name: $("preset").value }); });
  $("file").addEventListener("change", async () => {
    const file = $("file").files[0];
    $("file").value = "";
    if (!file) return;
    if (file.size > 5900000) { fail(`${file.name} is too large`, "give a file of at most 5.9 million bytes"); return; }
    const reader = new FileReader();
    reader.onload = () => send({ do: "load", name: file.name, data: reader.result.slice(reader.result.indexOf(",") + 1) });
    reader.onerror = () => fail(`${file.name} cannot be read`, "choose it again");
    reader.readAsDataURL(file);
  });
  for (const field of document.querySelectorAll("[data-setting]")) field.addEventListener("change", newTraining);
  $("theme").addEventListener("click", () => { setTheme(dark() ? "light" : "dark"); draw(); });
  ["heat", "real", "fake", "pull", "manifold"].forEach((id) => $(id).addEventListener("change", draw));
  ["square", ...Object.keys(CHARTS)].forEach((id) => {
    const canvas = $(id);
    canvas.addEventListener("pointermove", (event) => { pointer = place(event, canvas); readValue(pointer, view, curves); });
    canvas.addEventListener("pointerleave", () => { pointer = null; });
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (["INPUT", "SELECT", "BUTTON", "SUMMARY"].includes(event.target.tagName)) return;
    const key = event.key.toLowerCase(), click = { n: "step-epoch", d: "step-discriminator", g: "step-generator", b: "brush", e: "eraser" };
    if (key === " ") { event.preventDefault(); if (!$("train").disabled) toggle(); }
    else if (click[key]) $(click[key]).click();
  });
  window.addEventListener("resize", drawSoon);
  setTheme(preferredTheme());
  enable(false);
  draw();
  connect();
})();
