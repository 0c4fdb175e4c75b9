import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Qmp } from '../../src/node/qmp.ts';

/** VMWALK_QEMU may name another build of QEMU than the installed one, with its first arguments. */
const [BINARY = '', ...FIRST_ARGUMENTS] = (process.env['VMWALK_QEMU'] ?? 'qemu-system-x86_64').split(' ');
const PATIENCE = 30_000;

/** A virtual machine that runs, in software, without a display. */
export class Machine {
  readonly qmp: Qmp;
  /** Its files. */
  readonly folder: string;
  readonly #process: ChildProcess;

  private constructor(qmp: Qmp, folder: string, process: ChildProcess) {
    this.qmp = qmp;
    this.folder = folder;
    this.#process = process;
  }

  /** Starts QEMU with these arguments; `disks` are images of a size in bytes, by name, in its working folder. */
  static async start(
    args: readonly string[],
    disks: Readonly<Record<string, number>> = {},
  ): Promise<Machine> {
    if (spawnSync(BINARY, [...FIRST_ARGUMENTS, '--version']).status !== 0) {
      throw new Error(
        `${BINARY} is not there, and this test is about real QEMU: apt-get install --no-install-recommends qemu-system-x86`,
      );
    }
    const folder = mkdtempSync(join(tmpdir(), 'vmwalk-qemu-'));
    for (const [name, size] of Object.entries(disks)) writeFileSync(join(folder, name), Buffer.alloc(size));
    const common = ['-accel', 'tcg', '-display', 'none', '-nodefaults', '-no-user-config'];
    const socket = ['-qmp', 'unix:qmp.socket,server=on,wait=off'];
    const child = spawn(BINARY, [...FIRST_ARGUMENTS, ...common, ...socket, ...args], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let complaint = '';
    child.stderr.on('data', (text) => {
      complaint += text;
    });
    try {
      return new Machine(await openQmp(join(folder, 'qmp.socket')), folder, child);
    } catch (error) {
      child.kill('SIGKILL');
      throw new Error(`QEMU does not answer: ${complaint || error}`);
    }
  }

  /** Writes the migration stream of the machine, which must be stopped, into a file of its folder. */
  async migrate(): Promise<string> {
    const file = join(this.folder, 'vm.qevm');
    await this.qmp.execute('migrate', { uri: `exec:cat > ${file}` });
    await this.#migrated();
    return file;
  }

  /** Loads a migration stream, into a machine that was started with `-incoming defer`. Throws when QEMU refuses it. */
  async load(file: string): Promise<void> {
    await this.qmp.execute('migrate-incoming', { uri: `exec:cat ${file}` });
    await this.#migrated();
  }

  async #migrated(): Promise<void> {
    for (const end = Date.now() + PATIENCE; ; await sleep(20)) {
      const { status } = await this.qmp.execute<{ status?: string }>('query-migrate');
      if (status === 'completed') return;
      if (status === 'failed' || Date.now() > end) throw new Error(`migration: ${status}`);
    }
  }

  /** Ends the machine, and removes its files. */
  async end(): Promise<void> {
    const { exitCode, signalCode } = this.#process;
    if (exitCode === null && signalCode === null) {
      const gone = new Promise((resolve) => this.#process.once('exit', resolve));
      this.#process.kill('SIGKILL');
      await gone;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Connects to a unix socket that QEMU may still have to make. */
async function openQmp(path: string): Promise<Qmp> {
  for (const end = Date.now() + PATIENCE; ; await sleep(50)) {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
      return await Qmp.open(socket);
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}
