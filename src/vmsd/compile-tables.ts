import type { Expression } from '../expressions/expression.ts';
import {
  type QemuSchema,
  VMS_ALLOC,
  VMS_ARRAY,
  VMS_ARRAY_OF_POINTER,
  VMS_ARRAY_OF_POINTER_AUTO_ALLOC,
  VMS_MULTIPLY,
  VMS_MULTIPLY_ELEMENTS,
  VMS_MUST_EXIST,
  VMS_POINTER,
  VMS_STRUCT,
  VMS_VARRAY,
  VMS_VBUFFER,
  VMS_VSTRUCT,
  type VMStateField,
} from '../schema/qemu-schema.ts';
import type {
  CompiledCount,
  CompiledElement,
  CompiledExistence,
  CompiledField,
  CompiledVmsd,
  ExistenceTest,
} from './compiled.ts';
import { scalarTypes } from './scalars.ts';

const MARKER = 'ptr-marker';
/** VMSDs that embed each other deeper than this are no real ones. */
const MAX_DEPTH = 32;

/** Makes programs of VMSDs, each once. */
export class TablesCompiler {
  readonly #schema: QemuSchema;
  readonly #programs = new Map<number, CompiledVmsd>();
  readonly #tests = new Map<number, ExistenceTest>();

  readonly #nullType: string;
  readonly #expressions: ReadonlyMap<number, Expression>;

  constructor(schema: QemuSchema) {
    this.#schema = schema;
    this.#expressions = new Map(schema.expressions.map((entry) => [entry.function, entry.expression]));
    this.#nullType =
      Number.parseInt(schema.qemuVersion ?? '0', 10) >= 11 || schema.infos.some(({ name }) => name === MARKER)
        ? MARKER
        : 'nullptr';
  }

  /** The program of a VMSD by its index. Throws RangeError for an index that is not in the schema. */
  program(index: number): CompiledVmsd {
    const known = this.#programs.get(index);
    if (known) return known;
    const vmsd = this.#schema.vmsds[index];
    if (!vmsd) throw new RangeError(`no VMSD ${index}`);
    const program: CompiledVmsd = {
      name: vmsd.name ?? '',
      versionId: vmsd.versionId,
      minimumVersionId: vmsd.callbacks.loadStateOld === undefined ? vmsd.minimumVersionId : 0,
      preparesSave: vmsd.callbacks.preSave !== undefined || vmsd.callbacks.preSaveErrp !== undefined,
      fields: [],
      subsections: [],
      needed: vmsd.callbacks.needed === undefined ? undefined : this.#expressions.get(vmsd.callbacks.needed),
      validations: [],
    };
    // Known before its fields are made, as a VMSD may embed itself.
    this.#programs.set(index, program);
    program.fields = vmsd.fields.flatMap((field, i) => this.#field(field, uniqueName(vmsd.fields, i)) ?? []);
    program.validations = vmsd.fields.flatMap((field) => {
      const exists = isValidation(field) ? this.#exists(field) : undefined;
      return exists?.kind === 'test' ? { name: field.name, test: exists.test } : [];
    });
    program.subsections = vmsd.subsections.map((subsection) => this.program(subsection));
    return program;
  }

  /** Undefined for fields that never put anything into a stream. */
  #field(field: VMStateField, name: string): CompiledField | undefined {
    const { flags } = field;
    if (isValidation(field)) return undefined;
    const element = this.#element(field);
    if (!element) return undefined;
    const count = countProgram(field);
    return {
      name,
      offset: field.offset,
      size: field.size,
      count,
      bufferSize:
        flags & VMS_VBUFFER
          ? {
              offset: field.sizeOffset,
              width: field.sizeSize,
              factor: flags & VMS_MULTIPLY ? field.size : 1,
            }
          : undefined,
      pointer: (flags & VMS_POINTER) !== 0,
      allocated: (flags & VMS_ALLOC) !== 0,
      pointers: (flags & VMS_ARRAY_OF_POINTER) !== 0,
      marked: (flags & VMS_ARRAY_OF_POINTER_AUTO_ALLOC) !== 0,
      element,
      plain: plainNumber(field.flags, element, count),
      nullType: this.#nullType,
      described: this.#described(field),
      exists: this.#exists(field),
      versionId: field.versionId,
    };
  }

  #element(field: VMStateField): CompiledElement | undefined {
    const vmsd = field.vmsd === undefined ? undefined : this.program(field.vmsd);
    if (field.flags & VMS_STRUCT && vmsd)
      return { kind: 'struct', type: 'struct', vmsd, versionId: vmsd.versionId };
    if (field.flags & VMS_VSTRUCT && vmsd) {
      return { kind: 'struct', type: 'vstruct', vmsd, versionId: field.structVersionId };
    }
    const info = field.info === undefined ? undefined : this.#schema.infos[field.info];
    const key = info?.name === 'gtree' && field.start !== 0 ? this.#behind(field.vmsd) : undefined;
    return info && { kind: 'info', info: info.name, vmsd, key };
  }

  /** The VMSD behind another one in memory: VMSTATE_GTREE_V takes an array of two, of the value and of the key. */
  #behind(index: number | undefined): CompiledVmsd | undefined {
    const { vmsds } = this.#schema;
    const before = index === undefined ? undefined : vmsds[index];
    if (!before) return undefined;
    let next: number | undefined;
    for (const [i, { object, address }] of vmsds.entries()) {
      if (object !== before.object || address <= before.address) continue;
      if (next === undefined || address < vmsds[next]!.address) next = i;
    }
    return next === undefined ? undefined : this.program(next);
  }

  #described(field: VMStateField): CompiledField['described'] {
    if (field.flags & VMS_ARRAY_OF_POINTER_AUTO_ALLOC) return 'markers';
    if (field.flags & VMS_ARRAY_OF_POINTER) return 'pointers';
    return this.#compressible(field) ? 'first' : 'each';
  }

  /** migration/vmstate.c, vmsd_can_compress: whether all elements of an array look alike. */
  #compressible(field: VMStateField, depth = 0): boolean {
    if (field.fieldExists !== undefined || depth > MAX_DEPTH) return false;
    if ((field.flags & VMS_STRUCT) === 0 || field.vmsd === undefined) return true;
    const vmsd = this.#schema.vmsds[field.vmsd];
    if (!vmsd || vmsd.subsections.length > 0) return false;
    return vmsd.fields.every((inner) => this.#compressible(inner, depth + 1));
  }

  #exists(field: VMStateField): CompiledExistence {
    if (field.fieldExists === undefined) return { kind: 'version', from: field.versionId };
    let test = this.#tests.get(field.fieldExists);
    if (!test) {
      test = { id: field.fieldExists, expression: this.#expressions.get(field.fieldExists) };
      this.#tests.set(field.fieldExists, test);
    }
    return { kind: 'test', test };
  }
}

/** VMSTATE_VALIDATE: an array of no elements, there for its test. */
function isValidation({ flags, num }: VMStateField): boolean {
  return (flags & VMS_MUST_EXIST) !== 0 && (flags & VMS_ARRAY) !== 0 && num === 0;
}

/** migration/vmstate.c, vmfield_name_num: a name that a VMSD has more than once is numbered. */
function uniqueName(fields: readonly VMStateField[], index: number): string {
  const { name } = fields[index]!;
  const same = fields.filter((field) => field.name === name);
  return same.length > 1 ? `${name}[${same.indexOf(fields[index]!)}]` : name;
}

function plainNumber(flags: number, element: CompiledElement, count: CompiledCount): CompiledField['plain'] {
  const isOther = flags & (VMS_VBUFFER | VMS_POINTER | VMS_ARRAY_OF_POINTER);
  if (isOther || element.kind !== 'info' || count.kind !== 'fixed' || count.count !== 1) return undefined;
  const scalar = scalarTypes.get(element.info);
  return scalar && { info: element.info, scalar };
}

/** migration/vmstate.c, vmstate_n_elems. */
function countProgram(field: VMStateField): CompiledCount {
  const { flags, num, numOffset, numSize } = field;
  const factor = flags & VMS_MULTIPLY_ELEMENTS ? num : 1;
  if (flags & VMS_ARRAY)
    return { kind: 'fixed', count: num * (flags & VMS_MULTIPLY_ELEMENTS ? num : 1), array: true };
  if (flags & VMS_VARRAY) return { kind: 'member', offset: numOffset, width: numSize, factor };
  return { kind: 'fixed', count: factor, array: factor !== 1 };
}
