/**
 * Runs a QEMU and stands between it and who asks it: answers are changed as BETWEEN_FAULT says, at the command that
 * BETWEEN_STEP names, or all of them. Arguments: the command line of QEMU, whose last chardev is the connection.
 */

import { spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';

const { BETWEEN_FAULT: fault = '', BETWEEN_STEP: step = '' } = process.env;
const args = process.argv.slice(2);
const chardev = args.findLastIndex((word) => /^socket,.*port=\d+/.test(word));
const asker = connect(Number(/port=(\d+)/.exec(args[chardev] ?? '')?.[1]), '127.0.0.1');
asker.setNoDelay(true);
let isOver = false;

const server = createServer((qemu) => {
  server.close();
  eachLine(asker, (line) => {
    const { execute, id, arguments: args } = JSON.parse(line);
    // What is answered with a fault is not done.
    if (isAt(execute) && FAULTS[fault]) FAULTS[fault](id, args);
    else qemu.write(`${line}\n`);
  });
  eachLine(qemu, (line) => {
    if (isOver) return;
    const message = JSON.parse(line);
    if ('QMP' in message && isAt('greeting') && FAULTS[fault]) FAULTS[fault](0, { uri: '' });
    else if (fault === 'divide' && message.return?.qemu) send(line.replace(/"major": \d+/, '"major": 7'));
    else send(line);
  });
  asker.on('close', () => qemu.destroy());
}).listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  args[chardev] = (args[chardev] ?? '').replace(/port=\d+/, `port=${port}`);
  const [program = '', ...rest] = args;
  const child = spawn(program, rest, { stdio: ['ignore', 'ignore', 'inherit'] });
  child.on('exit', (status) => process.exit(status ?? 1));
  process.on('exit', () => child.kill('SIGKILL'));
});
asker.on('error', () => {});

/** What is done in place of an answer. @type {Record<string, (id: number, args: { uri: string }) => void>} */
const FAULTS = {
  abort: () => fail(() => process.kill(process.pid, 'SIGABRT')),
  exit: () => fail(() => process.exit(1)),
  close: () => asker.destroy(),
  garbage: () => asker.write('HTTP/1.1 200 OK\r\n'),
  'no-object': () => asker.write('[1]\n'),
  error: (id) => asker.write(`{"id": ${id}, "error": {"class": "GenericError", "desc": "not today"}}\n`),
  'endless-line': () => endlessly('a'.repeat(1 << 16)),
  // What a division by zero does in QEMU 7.2, whatever is installed.
  divide: () => fail(() => process.kill(process.pid, 'SIGFPE')),
  stall: () => {},
  flood: () => endlessly('{"event": "STOP", "data": {}}\n'.repeat(2000)),
  'endless-state': (id, { uri }) => {
    asker.write(`{"id": ${id}, "return": {}}\n`);
    const state = connect(Number(/\d+$/.exec(uri)?.[0]), '127.0.0.1');
    endlessly('QEVM'.repeat(1 << 16), state);
  },
};

/** @param {() => void} end */
function fail(end) {
  isOver = true;
  process.stderr.write("qemu: monitor.c:1: monitor: Assertion `!error' failed.\n", end);
}

/** @param {string} text @param {import('node:net').Socket} to */
function endlessly(text, to = asker) {
  isOver = true;
  to.on('error', () => {});
  const more = () => {
    if (!to.destroyed) to.write(text, () => setImmediate(more));
  };
  more();
}

/** An answer as it came, or with more in it and around it. @param {string} line */
function send(line) {
  const numbers = `[2.9183649635036497, 1${'0'.repeat(400)}, -1.5E+300, 1e-7, 18446744073709551615, "1.2345678901234567890"]`;
  const event = `{"event": "STOP", "data": {"text": "${'é'.repeat(1 << 15)}"}}\n`;
  if (fault === 'numbers') asker.write(`{"x-more": ${numbers}, ${line.slice(1)}\n`);
  else if (fault === 'events') asker.write(`${event}\r\n${line}\r\n${event}`);
  else if (fault === 'pieces') {
    const bytes = Buffer.from(`{"x-more": "é€😀", ${line.slice(1)}\n`);
    // Through the middle of each of the first characters, and of long lines in a few pieces more.
    for (let i = 0; i < Math.min(bytes.length, 30); i++) asker.write(bytes.subarray(i, i + 1));
    for (let i = 30; i < bytes.length; i += 1021) asker.write(bytes.subarray(i, i + 1021));
  } else asker.write(`${line}\n`);
}

/** @param {string} name */
function isAt(name) {
  return !isOver && name === step;
}

/** @param {import('node:net').Socket} socket @param {(line: string) => void} take */
function eachLine(socket, take) {
  let text = '';
  socket.on('error', () => {});
  socket.setEncoding('utf8').on('data', (piece) => {
    const lines = (text + piece).split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') take(line);
  });
}
