import { forEachPointer, type Image } from './elf/image.ts';
import type { LoadedProgram } from './elf/load.ts';

/** SysEmuTarget (qapi/machine.json) of all versions: the second half of `qemu-system-…`. */
const qemuTargets: ReadonlySet<string> = new Set([
  'aarch64',
  'alpha',
  'arm',
  'avr',
  'cris',
  'hexagon',
  'hppa',
  'i386',
  'lm32',
  'loongarch64',
  'm68k',
  'microblaze',
  'microblazeel',
  'mips',
  'mips64',
  'mips64el',
  'mipsel',
  'moxie',
  'nios2',
  'or1k',
  'ppc',
  'ppc64',
  'riscv32',
  'riscv64',
  'rx',
  's390x',
  'sh4',
  'sh4eb',
  'sparc',
  'sparc64',
  'tricore',
  'unicore32',
  'x86_64',
  'xtensa',
  'xtensaeb',
]);

/**
 * The guest architecture of a QEMU. From QEMU 10.2 on it is in a table (`TargetInfo`); before, a function returns it,
 * which can be recognized in x86-64 code. Else the name of the file says it, else the CPU type that only some targets
 * have.
 */
export function readQemuTarget(program: LoadedProgram): string | undefined {
  return (
    targetOfTable(program.image) ??
    targetOfCode(program) ??
    targetOfFileName(program.objects[0]?.name ?? '') ??
    targetOfCpuType(program.image)
  );
}

/** TargetInfo: name, two 32-bit numbers (an enum below 64, 32 or 64 bits), the name of a CPU type. */
function targetOfTable(image: Image): string | undefined {
  let found: string | undefined;
  forEachPointer(image, (address, target) => {
    if (found !== undefined || image.u32(address + 8) >= 64) return;
    const bits = image.u32(address + 12);
    if (bits !== 32 && bits !== 64) return;
    const name = image.text(target);
    if (name === undefined || !qemuTargets.has(name)) return;
    if (image.text(image.pointer(address + 16))?.endsWith('-cpu')) found = name;
  });
  return found;
}

/** `target_name`: LEA RAX, [RIP + offset]; RET. */
function targetOfCode({ machine, image }: LoadedProgram): string | undefined {
  if (machine !== 'x86_64') return undefined;
  const found = new Set<string>();
  for (const { executable, object, bytes, start } of image.segments) {
    if (!executable || object !== 0) continue;
    for (let at = bytes.indexOf(0x8d); at >= 0; at = bytes.indexOf(0x8d, at + 1)) {
      if (bytes[at - 1] !== 0x48 || bytes[at + 1] !== 0x05 || bytes[at + 6] !== 0xc3) continue;
      const name = image.text(start + at + 6 + image.i32(start + at + 2));
      if (name !== undefined && qemuTargets.has(name)) found.add(name);
    }
  }
  return found.size === 1 ? [...found][0] : undefined;
}

function targetOfFileName(path: string): string | undefined {
  const name = /qemu-system-([a-z0-9_]+)[^/\\]*$/.exec(path)?.[1];
  return name !== undefined && qemuTargets.has(name) ? name : undefined;
}

/** CPU types whose name begins with the target's, the special before the general. */
const cpuTypes: readonly string[] = [
  'aarch64',
  'x86_64',
  'i386',
  's390x',
  'sparc64',
  'mips64',
  'loongarch64',
];

function targetOfCpuType(image: Image): string | undefined {
  const types = new Set<string>();
  forEachPointer(image, (_address, target) => {
    const text = image.text(target);
    if (text?.endsWith('-cpu')) types.add(text);
  });
  return cpuTypes.find((name) => types.has(`${name}-cpu`));
}
