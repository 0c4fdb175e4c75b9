import { stat } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { badArgument } from '../bytes/diagnostic.ts';
import { printable } from '../bytes/printable.ts';
import type { Monitor } from './monitor.ts';
import { pidOfListener, pidsOfPeer } from './pid-of-listener.ts';
import { factsOfProcess, isStopped } from './process-facts.ts';
import { isQemu } from './qemu-command-line.ts';
import { GREETING_STEP, Qmp } from './qmp.ts';
import type { RunningProcess, RunningVm, SavedDevices, SaveOptions } from './running-vm.ts';
import { SaveCommand } from './save-command.ts';
import { StateFolder } from './state-folder.ts';
import { DEFAULT_STEP_LIMIT, StepLimit } from './step-limit.ts';
import { failureReason } from './system-error.ts';

export interface QmpVmOptions {
  /** Milliseconds for each answer. */
  readonly timeout?: number | undefined;
  /** QEMU's process, where it is not found by who listens on the socket. */
  readonly pid?: number | undefined;
}

/** A VM whose QEMU listens on a socket of its machine protocol: `-qmp unix:PATH,server=on,wait=off`, or on TCP. */
export class QmpVm implements RunningVm {
  readonly name: string;
  readonly monitor: Monitor;
  readonly #qmp: Qmp;
  readonly #limit: StepLimit;
  readonly #save: SaveCommand;
  readonly #pid: number | undefined;

  private constructor(name: string, qmp: Qmp, limit: StepLimit, save: SaveCommand, pid: number | undefined) {
    this.name = name;
    this.monitor = qmp;
    this.#qmp = qmp;
    this.#limit = limit;
    this.#save = save;
    this.#pid = pid;
  }

  /**
   * Connects to PATH, `unix:PATH`, `HOST:PORT` or `tcp:HOST:PORT`. Throws Error, with the reason, where nobody listens, where
   * the monitor is in use, and where what answers does not speak QMP.
   */
  static async connect(address: string, options: QmpVmOptions = {}): Promise<QmpVm> {
    const { timeout = DEFAULT_STEP_LIMIT } = options;
    const name = printable(address);
    const target = parseAddress(address);
    let pid = options.pid ?? ('path' in target ? await pidOfListener(target.path) : undefined);
    let qmp: Qmp | undefined;
    let socket: Socket | undefined;
    let tooSlow: string | undefined;
    const stopped = () => (pid !== undefined && isStopped(pid) ? `, as process ${pid} is stopped,` : '');
    const limit = new StepLimit(timeout, (step) => {
      tooSlow = step;
      if (qmp) qmp.giveUp(`QEMU took longer than ${timeout / 1000} s${stopped()}`);
      else socket?.destroy();
    });
    const save = new SaveCommand(limit, timeout);
    try {
      socket = await open(target, limit);
      if ('host' in target) pid ??= await qemuBehind(socket);
      qmp = await Qmp.open(socket, limit, (event) => save.onEvent(event));
      return new QmpVm(name, qmp, limit, save, pid);
    } catch (error) {
      limit.close();
      socket?.destroy();
      if (tooSlow === GREETING_STEP && stopped() === '')
        throw new Error(
          `${name}: the monitor is in use: it takes a connection and says nothing (--libvirt goes through libvirt)`,
        );
      const reason =
        tooSlow === undefined
          ? await whyNot(target, error)
          : `QEMU took longer than ${timeout / 1000} s${stopped()} ${tooSlow}`;
      throw new Error(`${name}: ${reason}`, { cause: error });
    }
  }

  async process(): Promise<RunningProcess> {
    if (this.#pid === undefined) throw new Error('its process is not found (--pid names it)');
    return factsOfProcess(this.#pid);
  }

  async saveDevices(options: SaveOptions): Promise<SavedDevices> {
    const folder = await StateFolder.create(this.#pid);
    try {
      const milliseconds = await this.#save.send(this.#qmp, folder.file, options);
      return { state: await folder.read(), milliseconds };
    } finally {
      await folder.remove();
    }
  }

  async close(): Promise<void> {
    this.#limit.close();
    this.#qmp.close();
  }
}

/** QEMU's monitor for people, by what it says first. */
const FOR_PEOPLE = " monitor - type 'help'";

/** Why there is no monitor at an address, in more words than the system has. */
async function whyNot(target: Address, error: unknown): Promise<string> {
  const reason = failureReason(error);
  if (reason.includes(FOR_PEOPLE))
    return 'it is the monitor for people (-monitor): one for programs is made by -qmp';
  if (!('path' in target) || (error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') return reason;
  const found = await stat(target.path).catch(() => undefined);
  return found?.isSocket() ? `${reason}: its QEMU is gone, or has another socket` : 'it is no socket';
}

/** The process at the other end of a connection, where it is QEMU: it may be one that only passes it on. */
async function qemuBehind(socket: Socket): Promise<number | undefined> {
  for (const pid of await pidsOfPeer(socket)) {
    const [program = ''] = (await factsOfProcess(pid).catch(() => undefined))?.commandLine ?? [];
    if (isQemu(program)) return pid;
  }
  return undefined;
}

type Address = { readonly path: string } | { readonly host: string; readonly port: number };

const MAX_PORT = 65_535;

/** Throws DecodeError `bad-argument`. */
function parseAddress(text: string): Address {
  const tcp = /^(?:tcp:)?([^/]*?):(\d{1,5})$/.exec(text);
  if (tcp && !text.startsWith('unix:')) {
    if (Number(tcp[2]) > MAX_PORT)
      throw badArgument(`${printable(text)}: there is no port above ${MAX_PORT}`);
    return { host: tcp[1]!.replace(/^\[(.*)\]$/, '$1') || 'localhost', port: Number(tcp[2]) };
  }
  return { path: text.replace(/^unix:/, '') };
}

/** A socket that is connected. Throws what the system says. */
function open(target: Address, limit: StepLimit): Promise<Socket> {
  const step = limit.begin('connecting');
  return new Promise<Socket>((resolve, reject) => {
    const socket = connect(target);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  }).finally(() => step.end());
}
