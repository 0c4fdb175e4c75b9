import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type QemuSchema, VMS_ARRAY, VMS_MUST_EXIST } from '../../src/schema/qemu-schema.ts';

/** What `-dump-vmstate` prints (migration/savevm.c, dump_vmstate_json_to_file), as far as it is used here. */
export interface DumpedVmsd {
  readonly name: string;
  readonly version_id: number;
  readonly minimum_version_id: number;
  readonly Fields?: readonly DumpedField[];
  readonly Subsections?: readonly DumpedVmsd[];
}

export interface DumpedField {
  readonly field: string;
  readonly version_id: number;
  readonly field_exists: boolean;
  /** Not printed by QEMU before 8.0. */
  readonly num?: number;
  readonly size: number;
  readonly Description?: DumpedVmsd;
}

/** VMSD by device type. */
export type Dump = ReadonlyMap<string, DumpedVmsd>;

/** Asks a QEMU for its VMSDs. */
export async function dumpVmstate(binary: string): Promise<Dump> {
  const folder = await mkdtemp(join(tmpdir(), 'dump-vmstate-'));
  try {
    const file = join(folder, 'dump.json');
    await promisify(execFile)(binary, ['-M', 'none', '-display', 'none', '-dump-vmstate', file]);
    return parseDump(await readFile(file, 'utf8'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

export function parseDump(text: string): Dump {
  const json: Record<string, { readonly Description?: DumpedVmsd }> = JSON.parse(text);
  const dump = new Map<string, DumpedVmsd>();
  for (const [type, { Description }] of Object.entries(json)) if (Description) dump.set(type, Description);
  return dump;
}

/** A VMSD with all that the dump has of it, and nothing else, so that two can be compared. */
export interface Shape {
  readonly name: string;
  readonly versions: readonly [number, number];
  readonly fields: readonly FieldShape[];
  readonly subsections: readonly Shape[];
}

export interface FieldShape {
  readonly name: string;
  readonly versionId: number;
  readonly fieldExists: boolean;
  readonly num: number | undefined;
  readonly size: number;
  readonly vmsd: Shape | undefined;
}

export function shapeOfDump(vmsd: DumpedVmsd): Shape {
  return {
    name: vmsd.name,
    versions: [vmsd.version_id, vmsd.minimum_version_id],
    fields: (vmsd.Fields ?? []).map((field) => ({
      name: field.field,
      versionId: field.version_id,
      fieldExists: field.field_exists,
      num: field.num,
      size: field.size,
      vmsd: field.Description && shapeOfDump(field.Description),
    })),
    subsections: (vmsd.Subsections ?? []).map(shapeOfDump),
  };
}

/** The same of a VMSD in a schema. `hasNum`: whether the dump that it is for prints the number of elements. */
export function shapeOfVmsd(schema: QemuSchema, index: number, hasNum: boolean): Shape {
  const vmsd = schema.vmsds[index]!;
  return {
    // What printf makes of a null pointer.
    name: vmsd.name ?? '(null)',
    versions: [vmsd.versionId, vmsd.minimumVersionId],
    fields: vmsd.fields
      .filter(({ flags }) => (flags & VMS_MUST_EXIST) === 0)
      .map((field) => ({
        name: field.name,
        versionId: field.versionId,
        fieldExists: field.fieldExists !== undefined,
        num: hasNum && (field.flags & VMS_ARRAY) !== 0 ? field.num : undefined,
        size: field.size,
        vmsd: field.vmsd === undefined ? undefined : shapeOfVmsd(schema, field.vmsd, hasNum),
      })),
    subsections: vmsd.subsections.map((subsection) => shapeOfVmsd(schema, subsection, hasNum)),
  };
}
