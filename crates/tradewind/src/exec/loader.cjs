// Loaded through NODE_OPTIONS by `tradewind exec`: before versions 22.21 and 24.5 Node reads no proxy variables.
// It leads fetch and the agents of http and https through the gateway, and changes nothing else.
'use strict';

const [major, minor] = process.versions.node.split('.').map(Number);
const isNative = major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
const address = process.env.HTTPS_PROXY;

if (address && !isNative) {
  const fs = require('fs');
  const http = require('http');
  const https = require('https');
  const path = require('path');
  const tls = require('tls');

  const proxy = new URL(address);
  const password = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  const authorization = `Basic ${Buffer.from(password).toString('base64')}`;
  const plainHttp = http.Agent.prototype.createConnection;
  const plainHttps = https.Agent.prototype.createConnection;
  const plainFetch = globalThis.fetch;
  const dispatcher = Symbol.for('undici.globalDispatcher.1');
  const off = (process.env.NO_PROXY || '')
    .split(',')
    .map((name) => name.trim().toLowerCase().replace(/^\*?\./, ''))
    .filter(Boolean);
  const said = new Set();

  const isOff = (host) => {
    const name = String(host || 'localhost').toLowerCase().replace(/^\[|\]$/g, '');
    return off.some((known) => name === known || name.endsWith(`.${known}`));
  };

  // `exec` says at the end whom it had to lead.
  const say = (who) => {
    if (said.has(who)) return;
    said.add(who);
    try {
      fs.appendFileSync(path.join(__dirname, 'led'), `${who}\n`);
    } catch {
      // The program must run as it would without us.
    }
  };

  const tunnel = (host, port, done) => {
    const to = `${String(host).includes(':') && !String(host).startsWith('[') ? `[${host}]` : host}:${port}`;
    const request = http.request({
      host: proxy.hostname,
      port: proxy.port,
      method: 'CONNECT',
      path: to,
      headers: { host: to, 'proxy-authorization': authorization },
      agent: false,
    });
    request.once('connect', (answer, socket) => {
      if (answer.statusCode === 200) return done(null, socket);
      socket.destroy();
      const error = new Error(`the gateway refused a connection to ${to} with ${answer.statusCode}`);
      done(Object.assign(error, { code: 'ECONNREFUSED' }));
    });
    request.once('error', done);
    request.end();
  };

  // Agents of the proxy itself are on this machine, which is always off.
  https.Agent.prototype.createConnection = function createConnection(options, done) {
    if (typeof done !== 'function' || options.socketPath || isOff(options.host)) {
      return plainHttps.apply(this, arguments);
    }
    say('https of Node');
    tunnel(options.host, options.port || 443, (error, socket) => {
      if (error) return done(error);
      done(null, plainHttps.call(this, { ...options, socket }));
    });
    return undefined;
  };

  http.Agent.prototype.createConnection = function createConnection(options, done) {
    if (typeof done !== 'function' || options.socketPath || isOff(options.host)) {
      return plainHttp.apply(this, arguments);
    }
    say('http of Node');
    tunnel(options.host, options.port || 80, done);
    return undefined;
  };

  // What undici asks for a socket.
  const connect = (options, done) => {
    const port = options.port || (options.protocol === 'https:' ? 443 : 80);
    const host = options.hostname;
    const secured = (socket) => {
      if (options.protocol !== 'https:') return done(null, socket);
      const servername = options.servername || host;
      const secure = tls.connect({ socket, servername, ALPNProtocols: ['http/1.1'] });
      const failed = (error) => done(error);
      secure.once('error', failed);
      secure.once('secureConnect', () => {
        secure.removeListener('error', failed);
        done(null, secure);
      });
    };
    if (isOff(host)) {
      const socket = require('net').connect({ host, port });
      const failed = (error) => done(error);
      socket.once('error', failed);
      socket.once('connect', () => {
        socket.removeListener('error', failed);
        secured(socket);
      });
      return;
    }
    say('fetch of Node');
    tunnel(host, port, (error, socket) => (error ? done(error) : secured(socket)));
  };

  if (typeof plainFetch === 'function') {
    let isLed = false;
    const lead = () => {
      if (isLed) return;
      isLed = true;
      // A program that has chosen a dispatcher of its own keeps it.
      if (globalThis[dispatcher]) return;
      // Loads what fetch is made of, which happens at its first use.
      plainFetch('data:,').catch(() => {});
      const Agent = globalThis[dispatcher] && globalThis[dispatcher].constructor;
      if (Agent && Agent.name === 'Agent') globalThis[dispatcher] = new Agent({ connect });
    };
    globalThis.fetch = function fetch(...call) {
      lead();
      return plainFetch.apply(this, call);
    };
  }
}
