/**
 * A QMP client: one request at a time or many, answers matched by id, events kept for whoever waits.
 */

import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * @typedef {object} QmpClient
 * @property {(command: string, args?: object) => Promise<any>} execute  Runs a QMP command.
 * @property {(line: string) => Promise<string>} monitor  Runs a command of the human monitor.
 * @property {() => void} close
 */

/**
 * Connects to a QMP unix socket, waiting for QEMU to create it.
 *
 * @param {string} path
 * @param {{ timeoutMs: number, alive: () => boolean }} options  `alive` ends the wait early when QEMU has died.
 * @returns {Promise<QmpClient>}
 */
export async function connectQmp(path, { timeoutMs, alive }) {
  const socket = await connectWhenReady(path, timeoutMs, alive);
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  const pending = new Map();
  let nextId = 1;
  let buffered = '';
  let closed = false;

  socket.setEncoding('utf8');
  socket.on('error', () => {});
  socket.on('close', () => {
    closed = true;
    for (const { reject } of pending.values()) reject(new Error('QEMU closed the QMP connection'));
    pending.clear();
  });
  socket.on('data', (text) => {
    buffered += text;
    for (let end = buffered.indexOf('\n'); end >= 0; end = buffered.indexOf('\n')) {
      const line = buffered.slice(0, end).trim();
      buffered = buffered.slice(end + 1);
      if (line !== '') dispatch(JSON.parse(line));
    }
  });

  /** @param {any} message */
  function dispatch(message) {
    const waiting = pending.get(message.id);
    if (waiting === undefined) return; // the greeting, or an event
    pending.delete(message.id);
    if (message.error) waiting.reject(new Error(message.error.desc));
    else waiting.resolve(message.return);
  }

  /** @type {QmpClient["execute"]} */
  function execute(command, args) {
    if (closed) return Promise.reject(new Error('QEMU closed the QMP connection'));
    const id = nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        pending.delete(id);
        reject(new Error(`no answer to ${command} within ${timeoutMs} ms`));
      }, timeoutMs);
      pending.set(id, {
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  await execute('qmp_capabilities');
  return {
    execute,
    monitor: (line) => execute('human-monitor-command', { 'command-line': line }),
    close: () => socket.destroy(),
  };
}

/**
 * @param {string} path
 * @param {number} timeoutMs
 * @param {() => boolean} alive
 */
async function connectWhenReady(path, timeoutMs, alive) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      socket.destroy();
      if (!alive()) throw new Error('QEMU ended before it could be reached');
      if (Date.now() > deadline) throw error;
      await sleep(20);
    }
  }
}
