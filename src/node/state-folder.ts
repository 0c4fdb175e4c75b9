import { randomBytes, randomUUID } from 'node:crypto';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { chown, type FileHandle, mkdir, open, rm, statfs } from 'node:fs/promises';
import { Guard } from './end-with-us.ts';
import { whenProcessEnds } from './process-end.ts';
import { ownerOfProcess, type ProcessOwner } from './process-facts.ts';
import { MAX_STATE, MIN_SPACE } from './save-command.ts';
import { failureReason } from './system-error.ts';

/** Where QEMU may be able to write, as it sees it. */
const PLACES = ['/tmp', '/var/tmp', '/dev/shm', '/run'] as const;
/** The file in the folder. */
const FILE = 'state';

/**
 * A fresh folder that QEMU, and nobody else, can write a file into: QEMU follows links, and truncates what is there, as
 * its own user. It and what is in it are gone when this process is, however that ends.
 */
export class StateFolder {
  /** What QEMU calls the file. */
  readonly file: string;
  /** The place, and the folder in it: they stay what they are when the process is gone whose root they are in. */
  readonly #place: number;
  readonly #folder: number;
  readonly #path: string;
  readonly #uid: number | undefined;
  readonly #guard: Guard;
  readonly #done: () => void;

  private constructor(file: string, uid: number | undefined, place: number, path: string, guard: Guard) {
    const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
    this.#folder = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    this.file = file;
    this.#uid = uid;
    this.#place = place;
    this.#path = path;
    this.#guard = guard;
    this.#done = whenProcessEnds(() => rmSync(path, { recursive: true, force: true }));
  }

  /** For the QEMU of a process; of one that is not known, as if it saw what we see. Throws Error with the reason. */
  static async create(pid: number | undefined): Promise<StateFolder> {
    const root = pid === undefined ? '' : `/proc/${pid}/root`;
    const owner = pid === undefined ? undefined : await ownerOfProcess(pid);
    const reasons: string[] = [];
    for (const place of PLACES) {
      try {
        return await StateFolder.#createIn(root, place, owner);
      } catch (error) {
        reasons.push(`${place}: ${failureReason(error)}`);
      }
    }
    throw new Error(`there is no folder that QEMU could write its state into (${reasons.join('; ')})`);
  }

  static async #createIn(root: string, place: string, owner: ProcessOwner | undefined): Promise<StateFolder> {
    const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
    // A link in a root of its own leads out of it.
    const descriptor = openSync(`${root}${place}`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    const name = `vmwalk-${randomBytes(8).toString('hex')}`;
    const path = `/proc/self/fd/${descriptor}/${name}`;
    let guard: Guard | undefined;
    try {
      const { bavail, bsize } = await statfs(`/proc/self/fd/${descriptor}`);
      if (bavail * bsize < MIN_SPACE) throw new Error(`it has ${bavail * bsize} bytes left`);
      // Before there is anything to be left.
      guard = new Guard(randomUUID(), name, undefined, `${root}${place}`);
      await mkdir(path, { mode: 0o700 });
      const isOurs =
        owner === undefined || (owner.uid === process.geteuid?.() && owner.gid === process.getegid?.());
      if (!isOurs) await chown(path, owner.uid, owner.gid);
      return new StateFolder(`${place}/${name}/${FILE}`, owner?.uid, descriptor, path, guard);
    } catch (error) {
      await rm(path, { recursive: true, force: true });
      await guard?.end();
      closeSync(descriptor);
      throw error;
    }
  }

  /** What QEMU wrote. Throws Error where that is no file of its own. */
  async read(): Promise<Uint8Array> {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    let handle: FileHandle;
    try {
      handle = await open(`/proc/self/fd/${this.#folder}/${FILE}`, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
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
    closeSync(this.#folder);
    await rm(this.#path, { recursive: true, force: true });
    closeSync(this.#place);
    this.#done();
    await this.#guard.end();
  }
}
