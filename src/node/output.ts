import {
  accessSync,
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { printable } from '../bytes/printable.ts';
import { whenProcessEnds } from './process-end.ts';
import { failureReason, isSystemError } from './system-error.ts';

/**
 * What comes of a file that has the name already. `keep`: it is an error, also when it appears while the output is
 * written. `replace`: it is there until the output is whole, and then no more. In either case a link is not followed.
 */
export type Existing = 'keep' | 'replace';

/** Pieces of a file, from its start to its end. */
export type Pieces = Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>;

/** Bytes after which signals and the like get their turn: all else here may happen at once. */
const TURN_AFTER = 1 << 20;
/** Names of open files, as shells give them for >(...). */
const DESCRIPTOR = /^(?:\/dev\/fd|\/proc\/self\/fd)\/(\d+)$/;
/** Permissions of what is written, before the umask. */
const PUBLIC = 0o666;
/** What link says where the file system has no hard links. */
const NO_LINKS: ReadonlySet<string> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EMLINK',
  'EXDEV',
]);

/** An output that cannot be written; the message has its name and the reason. */
export class OutputError extends Error {
  override readonly name = 'OutputError';
}

/** Of 16 digits. (To import node:crypto takes as long as many a command.) */
function randomName(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString('hex');
}

function cannotWrite(path: string, reason: string, cause?: unknown): OutputError {
  return new OutputError(`cannot write ${printable(path)}: ${reason}`, { cause });
}

function alreadyExists(path: string, cause?: unknown): OutputError {
  return new OutputError(`${printable(path)} exists already`, { cause });
}

function notEmpty(folder: string): OutputError {
  return new OutputError(`${printable(folder)} is not empty`);
}

function refuseEmptyName(path: string): void {
  if (path === '') throw new OutputError('the name to write to is empty');
}

/**
 * Throws OutputError where a file of this name could not be written in the end: said before the work begins.
 * `seekable` where the file is not written from its start to its end, which a pipe does not do.
 */
export function checkOutput(path: string, existing: Existing, seekable = false): void {
  refuseEmptyName(path);
  if (!seekable && sequentialTarget(path) !== undefined) return;
  const found = lookUp(path);
  if (found?.isDirectory()) throw cannotWrite(path, 'it is a folder');
  if (found && (existing === 'keep' || !(found.isFile() || found.isSymbolicLink())))
    throw alreadyExists(path);
  const folder = dirname(path);
  try {
    if (!statSync(folder).isDirectory()) throw cannotWrite(path, `${printable(folder)} is no folder`);
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw cannotWrite(path, `the folder ${printable(folder)} does not exist`, error);
    throw error instanceof OutputError ? error : cannotWrite(path, failureReason(error), error);
  }
}

/** Throws OutputError where a folder of this name could not be filled: said before the work begins. */
export function checkOutputFolder(folder: string, force: boolean): void {
  refuseEmptyName(folder);
  try {
    let there = resolve(folder);
    while (!statSync(there, { throwIfNoEntry: false })) there = dirname(there);
    if (there === resolve(folder)) {
      if (!statSync(there).isDirectory()) throw alreadyExists(folder);
      if (!force && readdirSync(there).length > 0) throw notEmpty(folder);
    }
    accessSync(there, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw outputFailure(folder, error);
  }
}

/** Makes a folder, with those above it, where there is none. Throws OutputError. */
export function makeFolder(folder: string): void {
  refuseEmptyName(folder);
  try {
    makeFolders(resolve(folder));
  } catch (error) {
    throw outputFailure(folder, error);
  }
}

/**
 * A file that is written under a temporary name beside its own, which it gets when it is whole. When it is given up, or
 * the process ends, it is removed. The temporary file is created, never opened, under a name that nobody can foresee.
 */
export class OutputFile {
  readonly fd: number;
  readonly #path: string;
  readonly #existing: Existing;
  readonly #temporary: string;
  readonly #done: () => void;
  #isOpen = true;

  /** `mode` is who may read and write it, before the umask. Throws OutputError. */
  constructor(path: string, existing: Existing, mode = PUBLIC) {
    checkOutput(path, existing, true);
    this.#path = path;
    this.#existing = existing;
    this.#temporary = join(dirname(path), `.vmwalk-${randomName()}.partial`);
    // Before there is a file: the process may end at any time.
    this.#done = whenProcessEnds(() => rmSync(this.#temporary, { force: true }));
    try {
      this.fd = openSync(this.#temporary, newFile(), mode);
    } catch (error) {
      this.#done();
      throw cannotWrite(path, failureReason(error), error);
    }
  }

  /** Gives the file its name. Throws OutputError, behind which nothing is left of it. */
  finish(): void {
    try {
      // A file system may find only now that there is no room.
      this.#close();
      if (this.#existing === 'replace') renameSync(this.#temporary, this.#path);
      else this.#renameToNew();
      this.#done();
    } catch (error) {
      throw this.fail(error);
    }
  }

  /** Removes the file. Returns what is to be thrown, with the name of the file and the reason, where it was the system. */
  fail(error: unknown): unknown {
    this.abandon();
    return outputFailure(this.#path, error);
  }

  /** Closes the file, and removes it. */
  abandon(): void {
    try {
      this.#close();
    } catch {
      // It is no loss.
    }
    rmSync(this.#temporary, { force: true });
    this.#done();
  }

  #close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.fd);
  }

  /** Renaming would replace what another has put there meanwhile. */
  #renameToNew(): void {
    try {
      linkSync(this.#temporary, this.#path);
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (!NO_LINKS.has(code)) throw error;
      closeSync(openSync(this.#path, newFile()));
      try {
        renameSync(this.#temporary, this.#path);
      } catch (failure) {
        unlinkSync(this.#path);
        throw failure;
      }
      return;
    }
    unlinkSync(this.#temporary);
  }
}

/**
 * Writes a whole file from its start to its end. A pipe or a character device (`/dev/null`, `/dev/stdout`) is written to
 * as it is. `mode` is who may read and write it, before the umask. Returns how many bytes it has. Throws OutputError, or what `pieces` throws; then nothing is left.
 */
export function writeOutput(
  path: string,
  pieces: Pieces,
  existing: Existing,
  mode = PUBLIC,
): Promise<number> {
  return fillOutput(path, existing, ({ fd }) => writePieces(fd, pieces), mode);
}

/** What is open to be written to. */
export interface OpenOutput {
  readonly fd: number;
  /** A pipe or a character device: it is written from its start to its end, and is not read. */
  readonly isSequential: boolean;
}

/**
 * The same for who writes by himself, and may look at what he has written: `fill` does all of it, and what it throws
 * leaves nothing. Returns what `fill` returns.
 */
export async function fillOutput<T>(
  path: string,
  existing: Existing,
  fill: (output: OpenOutput) => Promise<T>,
  mode = PUBLIC,
): Promise<T> {
  const target = sequentialTarget(path);
  if (target !== undefined) return fillSequential(path, target, fill);
  const file = new OutputFile(path, existing, mode);
  try {
    const result = await fill({ fd: file.fd, isSequential: false });
    file.finish();
    return result;
  } catch (error) {
    throw file.fail(error);
  }
}

/** Is it something that takes bytes and keeps none: a descriptor, or the path of a pipe or device. */
function sequentialTarget(path: string): number | string | undefined {
  if (path === '/dev/stdout') return 1;
  if (path === '/dev/stderr') return 2;
  const [, descriptor] = DESCRIPTOR.exec(path) ?? [];
  if (descriptor !== undefined) return Number(descriptor);
  const found = lookUp(path);
  return found?.isFIFO() || found?.isCharacterDevice() ? path : undefined;
}

async function fillSequential<T>(
  path: string,
  target: number | string,
  fill: (output: OpenOutput) => Promise<T>,
): Promise<T> {
  try {
    if (typeof target === 'number') return await fill({ fd: target, isSequential: true });
    // A pipe is open when someone reads from it, which can take as long as it likes.
    const handle = await open(target, constants.O_WRONLY | constants.O_NOFOLLOW);
    try {
      return await fill({ fd: handle.fd, isSequential: true });
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw outputFailure(path, error);
  }
}

/**
 * A folder that is filled all at once: files are written into a folder inside it and get their places in the end, so
 * that nothing half-written is ever found under its final name. Links in the folder are not followed.
 */
export class OutputFolder {
  readonly #folder: string;
  readonly #partial: string;
  readonly #done: () => void;
  /** The topmost folder that was made; undefined where all existed. */
  #made: string | undefined;

  /**
   * Makes the folder where there is none, and folders in it. Throws where it holds something, unless it is forced, or
   * where another process is filling it. Throws OutputError.
   */
  constructor(folder: string, { force, folders = [] }: { force: boolean; folders?: readonly string[] }) {
    refuseEmptyName(folder);
    this.#folder = resolve(folder);
    // One name, so that of several processes one alone fills an empty folder.
    const name = force ? `.partial-${randomName()}` : '.partial';
    this.#partial = join(this.#folder, name);
    let isOurs = false;
    this.#done = whenProcessEnds(() => this.#remove(isOurs));
    try {
      this.#made = makeFolders(this.#folder);
      if (!force && readdirSync(this.#folder).length > 0) throw notEmpty(folder);
      for (const each of folders) this.#checkFolder(each);
      mkdirSync(this.#partial, { mode: 0o700 });
      isOurs = true;
      if (!force && readdirSync(this.#folder).length > 1) throw notEmpty(folder);
      for (const each of folders) mkdirSync(join(this.#partial, each));
    } catch (error) {
      this.#remove(isOurs);
      this.#done();
      if ((error as NodeJS.ErrnoException).code === 'EEXIST' && !force && lookUp(this.#partial))
        throw new OutputError(`${printable(folder)} is not empty: another process writes into it`, {
          cause: error,
        });
      throw outputFailure(folder, error);
    }
  }

  /** Makes a file of this name and opens it for reading and writing. Throws OutputError. */
  open(name: string): number {
    try {
      return openSync(join(this.#partial, name), newFile(), PUBLIC);
    } catch (error) {
      throw this.failure(error, name);
    }
  }

  /** Writes a file from its start to its end. Returns how many bytes it has. Throws OutputError, or what `pieces` throws. */
  async write(name: string, pieces: Pieces): Promise<number> {
    const fd = this.open(name);
    try {
      return await writePieces(fd, pieces);
    } catch (error) {
      throw this.failure(error, name);
    } finally {
      closeSync(fd);
    }
  }

  /** The same error, with the name of the file and the reason where it is one of the system. */
  failure(error: unknown, name = ''): unknown {
    return outputFailure(join(this.#folder, name), error);
  }

  /** Moves all files to their places, `last` behind the others. A file that is there already is replaced. */
  finish(last: string): void {
    const moved: string[] = [];
    try {
      const entries = readdirSync(this.#partial, { withFileTypes: true });
      entries.sort((a, b) => Number(a.name === last) - Number(b.name === last));
      for (const entry of entries) {
        if (entry.isDirectory()) this.#checkFolder(entry.name);
        else this.#checkFile(this.#folder, entry.name);
      }
      for (const entry of entries) {
        if (entry.isDirectory()) this.#moveFolder(entry.name, moved);
        else this.#move(this.#partial, this.#folder, entry.name, moved);
      }
      rmSync(this.#partial, { recursive: true });
      this.#done();
    } catch (error) {
      for (const path of moved) rmSync(path, { recursive: true, force: true });
      throw this.failure(error);
    }
  }

  /** Removes what was written, and the folders that were made for it. */
  discard(): void {
    this.#remove(true);
    this.#done();
  }

  /** Is there nothing in the place of a folder, or a folder itself? A link leads elsewhere. */
  #checkFolder(name: string): void {
    const path = join(this.#folder, name);
    const found = lookUp(path);
    if (found && !found.isDirectory())
      throw cannotWrite(path, found.isSymbolicLink() ? 'it is a link' : 'it is no folder');
  }

  #checkFile(folder: string, name: string): void {
    if (lookUp(join(folder, name))?.isDirectory()) throw cannotWrite(join(folder, name), 'it is a folder');
  }

  #moveFolder(name: string, moved: string[]): void {
    const [from, to] = [join(this.#partial, name), join(this.#folder, name)];
    if (!lookUp(to)) {
      renameSync(from, to);
      moved.push(to);
      return;
    }
    // Whatever is put in its place meanwhile, this is the folder that was looked at.
    const fd = openSync(to, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      const opened = process.platform === 'linux' ? `/proc/self/fd/${fd}` : to;
      const names = readdirSync(from);
      for (const each of names) this.#checkFile(opened, each);
      for (const each of names) this.#move(from, opened, each, moved, to);
    } finally {
      closeSync(fd);
    }
  }

  /** `shown` is the path of the folder `to` by which it can be found later. */
  #move(from: string, to: string, name: string, moved: string[], shown = to): void {
    const isNew = !lookUp(join(to, name));
    renameSync(join(from, name), join(to, name));
    if (isNew) moved.push(join(shown, name));
  }

  #remove(isOurs: boolean): void {
    if (isOurs) rmSync(this.#partial, { recursive: true, force: true });
    if (this.#made === undefined) return;
    try {
      for (let folder = this.#folder; ; folder = dirname(folder)) {
        rmdirSync(folder);
        if (folder === this.#made) return;
      }
    } catch {
      // Others may have put something there.
    }
  }
}

/** Milliseconds between two tries to write into a pipe that is full; nothing wakes who waits for them. */
const FULL_PIPE_WAIT = 5;
const asleep = new Int32Array(new SharedArrayBuffer(4));

/** Writes all of `bytes`, from `offset` in the file or where it is. Throws what the system throws. */
export function writeFully(fd: number, bytes: Uint8Array, offset?: number): void {
  for (let written = 0; written < bytes.length; ) {
    const position = offset === undefined ? null : offset + written;
    try {
      written += writeSync(fd, bytes, written, bytes.length - written, position);
    } catch (error) {
      // A pipe that someone made non-blocking, and whose reader is slow.
      if (!isSystemError(error) || error.code !== 'EAGAIN') throw error;
      Atomics.wait(asleep, 0, 0, FULL_PIPE_WAIT);
    }
  }
}

async function writePieces(fd: number, pieces: Pieces): Promise<number> {
  const encoder = new TextEncoder();
  let size = 0;
  let sinceTurn = 0;
  for await (const piece of pieces) {
    const bytes = typeof piece === 'string' ? encoder.encode(piece) : piece;
    writeFully(fd, bytes);
    size += bytes.length;
    sinceTurn += bytes.length;
    if (sinceTurn < TURN_AFTER) continue;
    sinceTurn = 0;
    await turn();
  }
  return size;
}

/** Flags that make a file where there is nothing, not even a link. */
function newFile(): number {
  return constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
}

/** What is to be said of an error while `path` was written: the system's have no name in them that a user gave. */
function outputFailure(path: string, error: unknown): unknown {
  if (!isSystemError(error)) return error;
  if (error.code === 'EEXIST') return alreadyExists(path, error);
  return cannotWrite(path, failureReason(error), error);
}

/**
 * Makes a folder, and those that it is to be in. Returns the topmost that was made. (Node's own, `recursive`, says of a
 * read-only file system that there is no such file.)
 */
function makeFolders(folder: string): string | undefined {
  try {
    mkdirSync(folder);
    return folder;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(folder).isDirectory()) return undefined;
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error;
    const topmost = makeFolders(dirname(folder));
    mkdirSync(folder);
    return topmost ?? folder;
  }
}

function lookUp(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}
