import { referenceScanners } from './elf/code-references.ts';
import { nextStart, readFunctionStarts } from './elf/function-starts.ts';
import type { LoadedProgram } from './elf/load.ts';

/** A class_init has some hundred bytes; where no table says where it ends, this much is looked at. */
const MAX_FUNCTION = 4096;
/** Bytes of all of them that are looked through; in real binaries some 300 KB. */
const MAX_CODE = 16 << 20;

/** What a class_init refers to: addresses in the image, in order of first use. */
export interface ClassData {
  readonly vmsds: readonly number[];
  readonly propertyLists: readonly number[];
}

/**
 * Which VMSD and properties each class_init function sets (`dc->vmsd = …`, `device_class_set_props`), as far as its
 * code names them itself. Undefined for a host machine whose code cannot be looked through.
 */
export function readClassInits(
  program: LoadedProgram,
  functions: Iterable<number>,
  isVmsd: (address: number) => boolean,
  isPropertyList: (address: number) => boolean,
): ReadonlyMap<number, ClassData> | undefined {
  const { image, objects } = program;
  const scan = referenceScanners.get(program.machine);
  if (!scan) return undefined;
  const found = new Map<number, ClassData>();
  const starts = objects.map(({ header, base }) => readFunctionStarts(header, image, base));
  let looked = 0;
  for (const start of functions) {
    const segment = image.segmentAt(start);
    if (found.has(start) || !segment) continue;
    const next = nextStart(starts[segment.object] ?? new Float64Array(0), start) ?? segment.end;
    const vmsds = new Set<number>();
    const propertyLists = new Set<number>();
    const end = Math.min(next, start + MAX_FUNCTION, segment.end);
    looked += end - start;
    if (looked > MAX_CODE) break;
    scan(image, start, end, (address) => {
      if (address % 8 !== 0) return;
      if (isVmsd(address)) vmsds.add(address);
      else if (isPropertyList(address)) propertyLists.add(address);
      else {
        // A module takes the address of what the executable exports from its GOT.
        const target = image.pointer(address);
        if (target !== 0 && isVmsd(target)) vmsds.add(target);
      }
    });
    found.set(start, { vmsds: [...vmsds], propertyLists: [...propertyLists] });
  }
  return found;
}
