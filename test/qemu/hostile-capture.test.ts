import { spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { vmwalk } from '../cli/run.ts';
import { Machine } from './machine.ts';

const SAVE = 'xen-save-devices-state';
const SOCKETS = ['-qmp', 'unix:second,server=on,wait=off'];

/** What stands between does with a command of QMP; true where QEMU is not to have it. */
type OnCommand = (command: { readonly execute: string; readonly file: string }, say: Say) => boolean;
/** An answer to the command, or any line. */
type Say = (answer: object | string) => void;

let machine: Machine;
let between: Server;
let onCommand: OnCommand;
let onAnswer: (execute: string, line: string) => string | undefined | Promise<string | undefined>;

beforeAll(async () => {
  machine = await Machine.start(['-M', 'microvm', '-m', '16', ...SOCKETS, '-pidfile', 'pid']);
});
afterAll(() => machine.end());

beforeEach(async () => {
  onCommand = () => false;
  onAnswer = (_, line) => line;
  between = createServer((asker) => {
    const qemu = connect(join(machine.folder, 'second'));
    const commands = new Map<number, string>();
    for (const [socket, other] of [[asker, qemu] as const, [qemu, asker] as const]) {
      socket.on('error', () => {});
      socket.on('close', () => other.destroy());
    }
    const eachLine = (input: typeof asker, take: (line: string) => void) =>
      createInterface({ input })
        .on('line', take)
        .on('error', () => {});
    eachLine(asker, (line) => {
      const { execute, arguments: args, id } = JSON.parse(line);
      commands.set(id, execute);
      const say: Say = (answer) =>
        asker.write(`${typeof answer === 'string' ? answer : JSON.stringify({ ...answer, id })}\n`);
      if (!onCommand({ execute, file: String(args?.filename) }, say)) qemu.write(`${line}\n`);
    });
    eachLine(qemu, async (line) => {
      const { id, event } = JSON.parse(line);
      const answer = await onAnswer(event ?? commands.get(id) ?? '', line);
      if (answer === undefined) return;
      if (answer === '') asker.destroy();
      else asker.write(`${answer}\n`);
    });
  }).listen(join(machine.folder, 'between'));
});
afterEach(() => new Promise<void>((resolve) => between.close(() => resolve())));

async function capture(...args: string[]) {
  const run = await vmwalk(['capture', '--qmp', 'between', '--pid', pid(), '-o', 'out', ...args], {
    cwd: machine.folder,
  });
  return { ...run, isWritten: existsSync(join(machine.folder, 'out')) };
}

/** QEMU's process: it writes the number into a file. */
function pid(): string {
  return readFileSync(join(machine.folder, 'pid'), 'utf8').trim();
}

const folders = new Set<string>();

/** One line says which VM, and why; nothing is left, and the VM runs. */
async function expectFailure(words: RegExp, ...args: string[]) {
  const { status, stdout, stderr, isWritten } = await capture(...args);
  expect({ status, stdout, isWritten }).toEqual({ status: 2, stdout: '', isWritten: false });
  const said = stderr.trimEnd().split('\n');
  expect(said.at(-1)).toMatch(words);
  expect(said.at(-1)).toMatch(/^vmwalk: error: between: /);
  expect((await machine.qmp.execute<{ status: string }>('query-status')).status).toBe('running');
  expect([...folders].filter((folder) => existsSync(folder))).toEqual([]);
  return said.slice(0, -1);
}

/** Does something in place of the command that saves, or beside it. */
function atSave(act: (file: string, say: Say) => boolean): void {
  onCommand = ({ execute, file }, say) => {
    if (execute !== SAVE) return false;
    folders.add(join(file, '..'));
    return act(file, say);
  };
}

test.each<[string, (file: string) => void, RegExp]>([
  ['no file', () => {}, /what QEMU wrote cannot be read: no such file or directory/],
  ['an empty file', (file) => writeFileSync(file, ''), /the file is empty/],
  ['a link', (file) => symlinkSync('/etc/passwd', file), /cannot be read: too many symbolic links/],
  ['another name of a file', hardLink, /is no file that QEMU made/],
  ['a pipe', (file) => void spawnSync('mkfifo', [file]), /is no file that QEMU made/],
  [
    'an endless file',
    (file) => [writeFileSync(file, ''), truncateSync(file, 2 ** 40)],
    /has 1099511627776 bytes/,
  ],
])('%s in place of the state, of a VM that was left standing', async (_, make, words) => {
  let isCont = false;
  atSave((file, say) => {
    make(file);
    // As if QEMU had stopped it, and not made it go on.
    void machine.qmp.execute('stop').then(() => say({ return: {} }));
    return true;
  });
  const atSaveOnly = onCommand;
  onCommand = (command, say) => {
    isCont ||= command.execute === 'cont';
    return atSaveOnly(command, say);
  };
  onAnswer = (_execute, line) => line.replace('"paused"', '"save-vm"');
  const warnings = await expectFailure(words);
  expect(warnings).toEqual([
    'vmwalk: warning: between: QEMU did not make the VM go on: it was told to (cont)',
  ]);
  expect(isCont).toBe(true);
});

function hardLink(file: string): void {
  writeFileSync(`${file}-other`, '');
  linkSync(`${file}-other`, file);
}

test.each<[string, string, RegExp]>([
  ['closes', '', /: QEMU closed the connection while answering xen-save-devices-state$/],
  [
    'is no QMP',
    'HTTP/1.1 200 OK',
    /: what came from QEMU is not QMP .* while answering xen-save-devices-state$/,
  ],
])('what %s in place of the answer', async (_, answer, words) => {
  atSave(() => false);
  onAnswer = (execute, line) => (execute === SAVE ? answer : line);
  await expectFailure(words);
});

test('an answer that does not come though the VM goes on', async () => {
  atSave(() => false);
  onAnswer = (execute, line) => (execute === SAVE ? undefined : line);
  await expectFailure(/QEMU took longer than 5 s while answering xen-save-devices-state$/, '--timeout', '5');
});

test('QEMU tells in its words why it did not', async () => {
  atSave((_file, say) => {
    say({ error: { class: 'GenericError', desc: 'saving Xen device state failed' } });
    return true;
  });
  await expectFailure(/QEMU refuses xen-save-devices-state: saving Xen device state failed$/);
});

test('a silence behind the greeting is not a monitor that is in use', async () => {
  onCommand = ({ execute }) => execute === 'qmp_capabilities';
  await expectFailure(/between: QEMU took longer than 5 s answering qmp_capabilities$/, '--timeout', '5');
});

test('a QEMU that is stopped is not a monitor that is in use', async () => {
  process.kill(Number(pid()), 'SIGSTOP');
  try {
    const run = await vmwalk(['capture', '--qmp', 'second', '--timeout', '2'], { cwd: machine.folder });
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toBe(
      `vmwalk: error: second: QEMU took longer than 2 s, as process ${pid()} is stopped, waiting for its greeting\n`,
    );
  } finally {
    process.kill(Number(pid()), 'SIGCONT');
  }
});

test('the pause ends with the answer, not with RESUME, which comes before the CPUs go on', async () => {
  const late = 400;
  onAnswer = async (execute, line) => {
    if (execute === SAVE) await sleep(late);
    return line;
  };
  const { status, stderr } = await capture();
  expect(status).toBe(0);
  expect(Number(/it stood still for ([\d.]+) ms/.exec(stderr)?.[1])).toBeGreaterThan(0.9 * late);
  rmSync(join(machine.folder, 'out'));
});

test('a record that cannot be written is known before the VM is stopped', async () => {
  atSave(() => false);
  folders.clear();
  await expectFailure(
    /cannot write the audit record to \.: illegal operation on a directory$/,
    '--audit',
    '.',
  );
  spawnSync('mkfifo', [join(machine.folder, 'pipe')]);
  await expectFailure(/cannot write the audit record to pipe: no such device or address$/, '--audit', 'pipe');
  expect(folders.size).toBe(0);
});

test('nothing is left of a QEMU that dies', async () => {
  atSave(() => {
    process.kill(Number(pid()), 'SIGKILL');
    return true;
  });
  const { stderr, status } = await capture();
  expect(stderr).toMatch(/between: QEMU closed the connection while answering xen-save-devices-state/);
  expect(status).toBe(2);
  for (let tries = 0; [...folders].some((folder) => existsSync(folder)) && tries < 100; tries++)
    await sleep(50);
  expect([...folders].filter((folder) => existsSync(folder))).toEqual([]);
});
