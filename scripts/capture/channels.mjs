/**
 * A listener for migrations over a unix socket that opens several connections (multifd), or that needs a live
 * destination (postcopy): it writes what each connection carried to a file, and can pass it on.
 */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { connect, createServer } from 'node:net';
import { finished } from 'node:stream/promises';

/**
 * @typedef {object} Channels
 * @property {() => Promise<string[]>} close  Ends all connections; the files in order of connection.
 */

/** What a destination says on the return path when it has all it needs: type SHUT, four bytes, no error. */
const RETURN_PATH_SHUT = Buffer.from([0, 1, 0, 4, 0, 0, 0, 0]);

/**
 * @param {string} listenAt  The socket the source connects to.
 * @param {string} prefix    Files are `prefix`0, `prefix`1, …; what a destination answers, with `.reply` added.
 * @param {{ forwardTo?: string, answerShut?: boolean }} options
 * @returns {Promise<Channels>}
 */
export async function recordChannels(listenAt, prefix, { forwardTo, answerShut = false }) {
  /** @type {string[]} */
  const files = [];
  /** @type {Promise<unknown>[]} */
  const written = [];
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();

  /**
   * @param {import("node:net").Socket} socket
   * @param {string} file
   */
  function record(socket, file) {
    const output = createWriteStream(file);
    socket.on('error', () => {});
    socket.on('data', (chunk) => output.write(chunk));
    socket.on('close', () => output.end());
    sockets.add(socket);
    written.push(finished(output));
  }

  const server = createServer((source) => {
    const file = `${prefix}${files.length}`;
    files.push(file);
    record(source, file);
    if (answerShut) source.write(RETURN_PATH_SHUT);
    if (forwardTo !== undefined) {
      const destination = connect(forwardTo);
      record(destination, `${file}.reply`);
      source.pipe(destination);
      destination.pipe(source);
    }
  });
  server.listen(listenAt);
  await once(server, 'listening');

  return {
    close: async () => {
      server.close();
      for (const socket of sockets) {
        // What the kernel still holds has to be read before the connection goes.
        if (!socket.readableEnded) await Promise.race([once(socket, 'end'), delay(500)]).catch(() => {});
        socket.destroy();
      }
      await Promise.all(written);
      return files;
    },
  };
}

/** @param {number} ms */
function delay(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
