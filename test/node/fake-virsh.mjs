import { once } from 'node:events';
import { existsSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';

/*
 * What virsh of libvirt 9.0 does with the commands that vmwalk gives it, over a QMP socket of its own; messages are
 * libvirt's. $QMP is the socket, $DOMAIN the name of the only domain, and $UUID its UUID; without $QMP it does not run.
 * QEMU opens the file behind a descriptor by /proc, as Node hands on no descriptors.
 */
const { QMP, DOMAIN = '', UUID = '' } = process.env;

/** Words of commands as virsh reads them from one argument. */
function parse(text) {
  const commands = [[]];
  let word;
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (quote !== "'" && character === '\\') word = (word ?? '') + text[++i];
    else if (character === quote) quote = '';
    else if (quote === '' && (character === "'" || character === '"')) {
      quote = character;
      word ??= '';
    } else if (quote !== '' || !' ;\n#'.includes(character)) word = (word ?? '') + character;
    else {
      if (word !== undefined) commands.at(-1).push(word);
      word = undefined;
      if (character === '#') while (i < text.length && text[i] !== '\n') i++;
      if (character === ';' || character === '\n') commands.push([]);
    }
  }
  if (quote !== '') fail(`missing ${quote}`);
  if (word !== undefined) commands.at(-1).push(word);
  return commands.filter((command) => command.length > 0);
}

function fail(message) {
  process.exitCode = 1;
  console.error(`error: ${message}`);
}

let answers;
let socket;

/** QEMU lets one wait for its socket, and no more. */
async function connectInTurn() {
  for (;;) {
    const found = createConnection(QMP);
    try {
      await once(found, 'connect');
      return found;
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      await setTimeout(20);
    }
  }
}

/** The line that QEMU answers to a command. */
async function ask(command) {
  if (!answers) {
    socket = await connectInTurn();
    answers = createInterface({ input: socket })[Symbol.asyncIterator]();
    await answers.next();
    await ask({ execute: 'qmp_capabilities' });
  }
  const id = `libvirt-${++ask.count}`;
  socket.write(`${JSON.stringify({ ...command, id })}\n`);
  for (;;) {
    const { value, done } = await answers.next();
    if (done) return undefined;
    if (JSON.parse(value).id === id) return value;
  }
}
ask.count = 0;

/** What a descriptor is open for: O_WRONLY is 1. */
function accessOf(descriptor) {
  const [, flags] = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'));
  return Number.parseInt(flags, 8) & 3;
}

async function monitorCommand(options) {
  const command = JSON.parse(options.cmd);
  const { filename = '', 'fdset-id': set } = command.arguments ?? {};
  if (command.execute === 'add-fd') {
    const descriptor = options['pass-fds'];
    writeFileSync(`${QMP}.set`, String(set));
    const path = readlinkSync(`/proc/self/fd/${descriptor}`);
    if (!path.endsWith(' (deleted)')) writeFileSync(`${QMP}.fdset`, path);
    return descriptor === '3' && accessOf(descriptor) === 1
      ? '{"return":{"fd":18,"fdset-id":77},"id":"libvirt-0"}'
      : '{"error":{"class":"GenericError","desc":"not what QEMU can write to"},"id":"libvirt-0"}';
  }
  const isAdded = existsSync(`${QMP}.set`) && readFileSync(`${QMP}.set`, 'utf8') === String(set);
  if (command.execute !== 'remove-fd' || !isAdded) {
    // By its name, or as the shell that starts virsh has it open.
    if (filename.startsWith('/dev/fdset/'))
      command.arguments.filename = existsSync(`${QMP}.fdset`)
        ? readFileSync(`${QMP}.fdset`, 'utf8')
        : `/proc/${process.ppid}/fd/3`;
    const line = await ask(command);
    if (line === undefined) {
      fail('internal error: End of file from qemu monitor');
      return '';
    }
    // Without the blanks that QEMU has between what it says.
    return line.replaceAll(/("(?:[^"\\]|\\.)*")|\s+/g, '$1');
  }
  for (const name of ['set', 'fdset']) rmSync(`${QMP}.${name}`, { force: true });
  return `{"return":{},"id":"libvirt-0"}`;
}

async function run([name, ...words]) {
  const options = {};
  const rest = [];
  for (let i = 0; i < words.length; i++) {
    const [, option, value] = /^--([a-z-]+)(?:=(.*))?$/s.exec(words[i]) ?? [];
    if (option === undefined) rest.push(words[i]);
    else options[option] = value ?? words[++i];
  }
  if (name === 'echo') return rest.join(' ');
  if (options.domain !== DOMAIN && options.domain !== UUID) {
    fail(`failed to get domain '${options.domain}'`);
    return '';
  }
  if (name === 'domuuid') return `${UUID}\n`;
  if (name !== 'qemu-monitor-command') throw new Error(`not known here: ${name}`);
  if (QMP !== undefined) return `${await monitorCommand(options)}`;
  fail('Requested operation is not valid: domain is not running');
  return '';
}

const given = process.argv.slice(2);
const globals = [];
while (given[0]?.startsWith('-')) globals.push(given.shift());
const uri = globals.find((option) => option.startsWith('--connect='));
if (uri !== undefined && uri !== '--connect=qemu:///system') {
  fail('failed to connect to the hypervisor');
  fail(`no connection driver available for ${uri.slice('--connect='.length)}`);
  process.exit(1);
}
for (const command of given.length === 1 ? parse(given[0]) : [given]) {
  process.exitCode = 0;
  const start = performance.now();
  const printed = await run(command);
  const time = (performance.now() - start).toFixed(3);
  process.stdout.write(
    globals.includes('--timing') ? `${printed}\n\n(Time: ${time} ms)\n\n` : `${printed}\n\n`,
  );
}
socket?.destroy();
