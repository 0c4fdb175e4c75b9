import { readdir, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

/** Modules that hold devices; the others (audio, chardev, ui …) have no state of a guest. */
const DEVICE_MODULE = /^hw-[\w.-]+\.so$/;
/** `x86_64-linux-gnu` and the like, as Debian names the folder of each architecture. */
const MULTIARCH = /^[\w]+-linux-gnu\w*$/;

/** Whether a file with such a path holds devices. */
export function isDeviceModule(path: string): boolean {
  return DEVICE_MODULE.test(basename(path));
}

/**
 * Paths of the device modules that a QEMU binary would load: those in its build folder, or where distributions install
 * them (`lib/qemu`, `lib64/qemu-kvm`, `lib/x86_64-linux-gnu/qemu` … of the same prefix). Sorted; empty when there are
 * none. Whether they are of the same build is for the reader to tell.
 */
export async function findQemuModules(binary: string): Promise<string[]> {
  let path: string;
  try {
    path = await realpath(binary);
  } catch {
    path = resolve(binary);
  }
  const folder = dirname(path);
  const prefix = dirname(folder);
  const libraries = [join(prefix, 'lib'), join(prefix, 'lib64')];
  const names = ['qemu', basename(path).replace(/^qemu-system-.*/, 'qemu-kvm')];
  const multiarch = (await list(libraries[0]!))
    .filter((name) => MULTIARCH.test(name))
    .map((name) => join(libraries[0]!, name));
  const folders = [
    folder,
    ...[...libraries, ...multiarch].flatMap((library) => names.map((name) => join(library, name))),
  ];
  for (const candidate of folders) {
    const modules = (await list(candidate)).filter(isDeviceModule);
    if (modules.length > 0) return modules.sort().map((name) => join(candidate, name));
  }
  return [];
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    return [];
  }
}
