import { randomBytes, randomUUID } from 'node:crypto';
import { closeSync, constants, lstatSync, openSync, rmSync } from 'node:fs';
import { chown, type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { Guard } from './end-with-us.ts';
import { whenProcessEnds } from './process-end.ts';
import { ownerOfProcess } from './process-facts.ts';
import { failureReason } from './system-error.ts';

/** Where QEMU may be able to write, as it sees it. */
const PLACES = ['/tmp', '/var/tmp', '/dev/shm', '/run'] as const;
/** The file in the folder. */
const FILE = 'state';
/** Bytes of the state of devices that are taken; a large machine has some 10 MB. */
const MAX_STATE = 128 << 20;

/**
 * A fresh folder that QEMU, and nobody else, can write a file into: QEMU follows links, and truncates what is there, as
 * its own user. It and what is in it are gone when this process is, however that ends.
 */
export class StateFolder {
  /** What QEMU calls the file. */
  readonly file: string;
  /** The folder as it is reached from here. */
  readonly #path: string;
  readonly #descriptor: number;
  readonly #uid: number | undefined;
  readonly #guard: Guard;
  readonly #done: () => void;

  private constructor(path: string, file: string, uid: number | undefined) {
    this.#path = path;
    this.file = file;
    this.#uid = uid;
    this.#descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    this.#guard = new Guard(randomUUID(), path);
    this.#done = whenProcessEnds(() => rmSync(path, { recursive: true, force: true }));
  }

  /** For the QEMU of a process; of one that is not known, as if it saw what we see. Throws Error with the reason. */
  static async create(pid: number | undefined): Promise<StateFolder> {
    const root = pid === undefined ? '' : `/proc/${pid}/root`;
    const owner = pid === undefined ? undefined : await ownerOfProcess(pid);
    const isOurs =
      owner === undefined || (owner.uid === process.geteuid?.() && owner.gid === process.getegid?.());
    const reasons: string[] = [];
    for (const place of PLACES) {
      const name = `${place}/vmwalk-${randomBytes(8).toString('hex')}`;
      const path = `${root}${name}`;
      try {
        // A link in a root of its own leads out of it.
        if (!lstatSync(`${root}${place}`).isDirectory()) throw new Error('it is a link');
        await mkdir(path, { mode: 0o700 });
      } catch (error) {
        reasons.push(`${place}: ${failureReason(error)}`);
        continue;
      }
      try {
        if (!isOurs) await chown(path, owner.uid, owner.gid);
        return new StateFolder(path, `${name}/${FILE}`, owner?.uid);
      } catch (error) {
        await rm(path, { recursive: true, force: true });
        reasons.push(`${place}: ${failureReason(error)}`);
      }
    }
    throw new Error(`there is no folder that QEMU could write its state into (${reasons.join('; ')})`);
  }

  /** What QEMU wrote. Throws Error where that is no file of its own. */
  async read(): Promise<Uint8Array> {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    let handle: FileHandle;
    try {
      handle = await open(`/proc/self/fd/${this.#descriptor}/${FILE}`, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (error) {
      throw new Error(
        `what QEMU wrote cannot be read: ${failureReason(error)} (${this.file}; does QEMU run elsewhere, or in a container?)`,
      );
    }
    try {
      const found = await handle.stat();
      if (!found.isFile() || found.nlink !== 1 || (this.#uid !== undefined && found.uid !== this.#uid))
        throw new Error(`what is at ${this.file} is no file that QEMU made`);
      if (found.size > MAX_STATE)
        throw new Error(`the state that QEMU wrote has ${found.size} bytes, more than ${MAX_STATE}`);
      const state = Buffer.alloc(found.size);
      const { bytesRead } = await handle.read(state, 0, state.length, 0);
      return state.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  }

  async remove(): Promise<void> {
    closeSync(this.#descriptor);
    await rm(this.#path, { recursive: true, force: true });
    this.#done();
    await this.#guard.end();
  }
}
