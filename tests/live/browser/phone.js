/* A phone of one line on JsSIP. The driver calls `phone.…` and reads `phone.log`. What a reload needs to come back into
   its call stands in the session storage, as an application would keep it. */
const phone = { log: [], session: null, ua: null, t: {} };
const note = (what, more) => phone.log.push({ what, ...more, at: performance.now() });

phone.register = (url, uri, password) => {
  const socket = new JsSIP.WebSocketInterface(url);
  phone.ua = new JsSIP.UA({ sockets: [socket], uri, password, register_expires: 120,
    connection_recovery_min_interval: 1, connection_recovery_max_interval: 2 });
  for (const name of ["connected", "disconnected", "registered", "unregistered", "registrationFailed"])
    phone.ua.on(name, e => note(name, { cause: e && e.cause }));
  phone.ua.on("newRTCSession", ({ session, originator, request }) => phone.take(session, originator, request));
  phone.ua.start();
};

phone.take = (session, originator, request) => {
  phone.session = session;
  note(originator === "remote" ? "incoming" : "outgoing", { replaces: request.getHeader && request.getHeader("Replaces") });
  for (const name of ["progress", "accepted", "confirmed", "ended", "failed", "hold", "unhold", "reinvite", "newDTMF"])
    session.on(name, e => note(name, { originator: e && e.originator, cause: e && e.cause,
      tone: e && e.dtmf && e.dtmf.tone, why: e && e.message && e.message.status_code }));
  session.on("peerconnection:setremotedescriptionfailed", e => note("bad sdp", { error: String(e) }));
  session.on("getusermediafailed", e => note("no microphone", { error: String(e) }));
  session.on("confirmed", () => phone.remember());
  session.on("ended", () => sessionStorage.removeItem("dialog"));
  const watch = pc => {
    phone.pc = pc;
    phone.t.pc = performance.now();
    pc.addEventListener("track", e => phone.hear(e.track));
    pc.addEventListener("connectionstatechange", () => note("pc " + pc.connectionState));
  };
  if (session.connection) watch(session.connection);
  else session.on("peerconnection", ({ peerconnection }) => watch(peerconnection));
};

phone.remember = () => {
  const id = phone.session._dialog.id;
  sessionStorage.setItem("dialog", JSON.stringify({ id: id.call_id, mine: id.local_tag, theirs: id.remote_tag }));
};

phone.hear = track => {
  const stream = new MediaStream([track]);
  document.getElementById("audio").srcObject = stream;
  phone.context = phone.context || new AudioContext();
  phone.analyser = phone.context.createAnalyser();
  phone.analyser.fftSize = 16384;
  const source = phone.context.createMediaStreamSource(stream);
  source.connect(phone.analyser);
  phone.listenForDigits(source);
  phone.watchFirst();
};

/* When the first sound came that is none of the silence before it. */
phone.watchFirst = () => {
  phone.t.heard = 0;
  const samples = new Float32Array(512);
  const look = () => {
    phone.analyser.getFloatTimeDomainData(samples);
    if (samples.some(x => Math.abs(x) > 0.02)) { phone.t.heard = performance.now(); note("first sound"); }
    else setTimeout(look, 5);
  };
  look();
};

/* Share of the power that is the tone, and the power, of the last third of a second. */
phone.share = hz => {
  if (!phone.analyser) return { share: 0, power: 0 };
  const samples = new Float32Array(phone.analyser.fftSize);
  phone.analyser.getFloatTimeDomainData(samples);
  let re = 0, im = 0, power = 0;
  const rate = phone.context.sampleRate, n = samples.length;
  for (let i = 0; i < n; i++) {
    const phase = 2 * Math.PI * hz * i / rate;
    re += samples[i] * Math.cos(phase); im += samples[i] * Math.sin(phase); power += samples[i] * samples[i];
  }
  return { share: power > 1e-6 * n ? 2 * (re * re + im * im) / n / power : 0, power: power / n };
};

const media = { mediaConstraints: { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  video: false } };
phone.call = (target, extraHeaders = []) => { phone.ua.call(target, { ...media, extraHeaders }); };
phone.answer = () => phone.session.answer(media);
phone.hangUp = () => phone.session.terminate();
phone.hold = () => new Promise(done => phone.session.hold({}, done));
phone.unhold = () => new Promise(done => phone.session.unhold({}, done));
phone.digits = tones => phone.session.sendDTMF(tones, { transportType: "RFC2833", duration: 120, interToneGap: 100 });
phone.restartIce = () => new Promise(done => phone.session.renegotiate({ rtcOfferConstraints: { iceRestart: true } }, done));
phone.comeBack = target => {
  const kept = JSON.parse(sessionStorage.getItem("dialog"));
  phone.call(target, [`Replaces: ${kept.id};to-tag=${kept.theirs};from-tag=${kept.mine}`]);
};
phone.has = what => phone.log.some(each => each.what === what);
phone.stats = async () => {
  const out = {}, stats = await phone.pc.getStats();
  stats.forEach(each => {
    if (each.type === "inbound-rtp") out.in = each.packetsReceived, out.lost = each.packetsLost;
    if (each.type === "outbound-rtp") {
      out.out = each.packetsSent;
      out.codec = stats.get(each.codecId) && stats.get(each.codecId).mimeType;
    }
    if (each.type === "transport") out.srtp = each.srtpCipher, out.dtls = each.dtlsState;
  });
  return out;
};

/* Digits as the browser plays them: every block of what is heard is looked at for two of the eight tones. */
const LOW = [697, 770, 852, 941], HIGH = [1209, 1336, 1477, 1633], KEYS = ["123A", "456B", "789C", "*0#D"];
phone.digitsHeard = "";
phone.listenForDigits = source => {
  const rate = phone.context.sampleRate;
  phone.processor = phone.context.createScriptProcessor(1024, 1, 1);
  let was = "", n = 0, told = "", quiet = 0;
  phone.processor.onaudioprocess = ({ inputBuffer }) => {
    const samples = inputBuffer.getChannelData(0);
    const share = hz => {
      let re = 0, im = 0;
      for (let i = 0; i < samples.length; i++) {
        const phase = 2 * Math.PI * hz * i / rate;
        re += samples[i] * Math.cos(phase); im += samples[i] * Math.sin(phase);
      }
      return 2 * (re * re + im * im) / samples.length;
    };
    const power = samples.reduce((sum, x) => sum + x * x, 0);
    let key = "";
    if (power > 1e-4 * samples.length) {
      const lows = LOW.map(share), highs = HIGH.map(share);
      const l = lows.indexOf(Math.max(...lows)), h = highs.indexOf(Math.max(...highs));
      if (lows[l] + highs[h] > 0.8 * power && Math.min(lows[l], highs[h]) > 0.1 * power) key = KEYS[l][h];
    }
    n = key === was ? n + 1 : 0;
    was = key;
    quiet = key ? 0 : quiet + 1;
    // A hole in a tone, as a busy machine makes them, is shorter than the pause between two keys.
    if (quiet >= 4) told = "";
    if (key && n === 1 && key !== told) phone.digitsHeard += told = key;
  };
  source.connect(phone.processor);
  phone.processor.connect(phone.context.destination);
};
