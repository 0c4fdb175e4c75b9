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
import { versionNumber } from '../schema/qemu-version.ts';
import type {
  CompiledCount,
  CompiledElement,
  CompiledExistence,
  CompiledField,
  CompiledVmsd,
  ExistenceTest,
  Validation,
} from './compiled.ts';
import { scalarTypes } from './scalars.ts';

const MARKER = 'ptr-marker';
/** VMSDs that embed each other deeper than this are no real ones. */
const MAX_DEPTH = 32;

/** Compiles VMSDs, each once. */
export class TablesCompiler {
  readonly #schema: QemuSchema;
  readonly #compiled = new Map<number, CompiledVmsd>();
  readonly #tests = new Map<number, ExistenceTest>();
  readonly #alikeHeights = new Map<number, number>();
  /** Indexes of VMSDs in the order of their addresses. */
  #byAddress: readonly number[] | undefined;
  readonly #nullType: string;
  readonly #expressions: ReadonlyMap<number, Expression>;

  constructor(schema: QemuSchema) {
    this.#schema = schema;
    this.#expressions = new Map(schema.expressions.map((entry) => [entry.function, entry.expression]));
    this.#nullType =
      (versionNumber(schema.qemuVersion) ?? 0) >= 11_000 || schema.infos.some(({ name }) => name === MARKER)
        ? MARKER
        : 'nullptr';
  }

  /** A VMSD compiled, by its index. Throws RangeError for an index that is not in the schema. */
  vmsd(index: number): CompiledVmsd {
    const known = this.#compiled.get(index);
    if (known) return known;
    const vmsd = this.#schema.vmsds[index];
    if (!vmsd) throw new RangeError(`no VMSD ${index}`);
    const compiled: CompiledVmsd = {
      name: vmsd.name ?? '',
      versionId: vmsd.versionId,
      minimumVersionId: vmsd.minimumVersionId,
      loadsOld: vmsd.callbacks.loadStateOld !== undefined,
      unmigratable: vmsd.unmigratable,
      earlySetup: vmsd.earlySetup,
      preparesSave: vmsd.callbacks.preSave !== undefined || vmsd.callbacks.preSaveErrp !== undefined,
      fields: [],
      subsections: [],
      needed: vmsd.callbacks.needed === undefined ? undefined : this.#test(vmsd.callbacks.needed),
      validations: [],
    };
    // Known before its fields are made, as a VMSD may embed itself.
    this.#compiled.set(index, compiled);
    const names = uniqueNames(vmsd.fields);
    const fields: CompiledField[] = [];
    const validations: Validation[] = [];
    for (const [i, field] of vmsd.fields.entries()) {
      const { name, fieldExists } = field;
      if (!isValidation(field)) {
        const made = this.#field(field, names[i]!);
        if (made) fields.push(made);
      } else if (fieldExists !== undefined)
        validations.push({ name, test: this.#test(fieldExists), before: fields.length });
    }
    compiled.fields = fields;
    compiled.validations = validations;
    compiled.subsections = vmsd.subsections.map((subsection) => this.vmsd(subsection));
    return compiled;
  }

  /** Undefined for fields that never put anything into a stream. */
  #field(field: VMStateField, name: string): CompiledField | undefined {
    const { flags } = field;
    const element = this.#element(field);
    if (!element) return undefined;
    const count = countOf(field);
    return {
      name,
      tableName: name === field.name ? undefined : field.name,
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
    const vmsd = field.vmsd === undefined ? undefined : this.vmsd(field.vmsd);
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
    this.#byAddress ??= [...vmsds.keys()].sort((a, b) => {
      const [left, right] = [vmsds[a]!, vmsds[b]!];
      return left.object - right.object || left.address - right.address || a - b;
    });
    const order = this.#byAddress;
    let [low, high] = [0, order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const { object, address } = vmsds[order[middle]!]!;
      if (object < before.object || (object === before.object && address <= before.address)) low = middle + 1;
      else high = middle;
    }
    const next = order[low];
    return next !== undefined && vmsds[next]!.object === before.object ? this.vmsd(next) : undefined;
  }

  #described(field: VMStateField): CompiledField['described'] {
    if (field.flags & VMS_ARRAY_OF_POINTER_AUTO_ALLOC) return 'markers';
    if (field.flags & VMS_ARRAY_OF_POINTER) return 'pointers';
    return this.#alikeHeight(field) <= MAX_DEPTH ? 'first' : 'each';
  }

  /**
   * migration/vmstate.c, vmsd_can_compress: whether all elements of an array look alike. How deep the structs in one
   * nest, Infinity where they do not.
   */
  #alikeHeight(field: VMStateField): number {
    if (field.fieldExists !== undefined) return Number.POSITIVE_INFINITY;
    if ((field.flags & VMS_STRUCT) === 0 || field.vmsd === undefined) return 0;
    let height = this.#alikeHeights.get(field.vmsd);
    if (height === undefined) {
      const vmsd = this.#schema.vmsds[field.vmsd];
      // What embeds itself has no end.
      this.#alikeHeights.set(field.vmsd, Number.POSITIVE_INFINITY);
      height = !vmsd || vmsd.subsections.length > 0 ? Number.POSITIVE_INFINITY : 1;
      for (const inner of vmsd?.fields ?? []) height = Math.max(height, 1 + this.#alikeHeight(inner));
      this.#alikeHeights.set(field.vmsd, height);
    }
    return height;
  }

  #exists(field: VMStateField): CompiledExistence {
    if (field.fieldExists === undefined) return { kind: 'version', from: field.versionId };
    return { kind: 'test', test: this.#test(field.fieldExists) };
  }

  #test(index: number): ExistenceTest {
    let test = this.#tests.get(index);
    if (!test) {
      test = { id: index, expression: this.#expressions.get(index) };
      this.#tests.set(index, test);
    }
    return test;
  }
}

/** VMSTATE_VALIDATE: an array of no elements, there for its test. */
function isValidation({ flags, num }: VMStateField): boolean {
  return (flags & VMS_MUST_EXIST) !== 0 && (flags & VMS_ARRAY) !== 0 && num === 0;
}

/** migration/vmstate.c, vmfield_name_num: a name that a VMSD has more than once is numbered. */
function uniqueNames(fields: readonly VMStateField[]): string[] {
  const totals = new Map<string, number>();
  for (const { name } of fields) totals.set(name, (totals.get(name) ?? 0) + 1);
  const seen = new Map<string, number>();
  return fields.map(({ name }) => {
    if (totals.get(name) === 1) return name;
    const index = seen.get(name) ?? 0;
    seen.set(name, index + 1);
    return `${name}[${index}]`;
  });
}

function plainNumber(flags: number, element: CompiledElement, count: CompiledCount): CompiledField['plain'] {
  const isOther = flags & (VMS_VBUFFER | VMS_POINTER | VMS_ARRAY_OF_POINTER);
  if (isOther || element.kind !== 'info' || count.kind !== 'fixed' || count.count !== 1) return undefined;
  const scalar = scalarTypes.get(element.info);
  return scalar && { info: element.info, scalar };
}

/** migration/vmstate.c, vmstate_n_elems. */
function countOf(field: VMStateField): CompiledCount {
  const { flags, num, numOffset, numSize } = field;
  const factor = flags & VMS_MULTIPLY_ELEMENTS ? num : 1;
  if (flags & VMS_ARRAY)
    return { kind: 'fixed', count: num * (flags & VMS_MULTIPLY_ELEMENTS ? num : 1), array: true };
  if (flags & VMS_VARRAY) return { kind: 'member', offset: numOffset, width: numSize, factor };
  return { kind: 'fixed', count: factor, array: factor !== 1 };
}
