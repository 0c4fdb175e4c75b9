import type { DumpedField, DumpedVmsd } from '../schema/dump-vmstate.ts';
import type { CompiledField, CompiledVmsd, ExistenceTest } from './compiled.ts';

/** A test of which a dump says only that there is one. */
const SOME_TEST: ExistenceTest = { id: -1, expression: undefined };

/** Compiles a VMSD of a dump; `needed` is what decides whether it is sent, where it is a subsection. */
export function compileDumpedVmsd(vmsd: DumpedVmsd, needed?: ExistenceTest): CompiledVmsd {
  const { name = '', versionId, minimumVersionId, fields, subsections } = vmsd;
  return {
    name,
    versionId,
    minimumVersionId,
    fields: fields.map(compileField),
    subsections: subsections.map((subsection) => compileDumpedVmsd(subsection, SOME_TEST)),
    preparesSave: false,
    needed,
    validations: [],
  };
}

function compileField(field: DumpedField): CompiledField {
  const { name, versionId, fieldExists, num, size } = field;
  const vmsd = field.vmsd && compileDumpedVmsd(field.vmsd);
  return {
    name,
    offset: 0,
    size,
    count: { kind: 'fixed', count: num ?? 1, array: num !== undefined },
    bufferSize: undefined,
    pointer: false,
    allocated: false,
    pointers: false,
    marked: false,
    element: vmsd
      ? { kind: 'struct', type: 'struct', vmsd, versionId: vmsd.versionId }
      : { kind: 'info', info: '', vmsd: undefined, key: undefined },
    plain: undefined,
    nullType: '',
    described: undefined,
    exists: fieldExists ? { kind: 'test', test: SOME_TEST } : { kind: 'version', from: versionId },
    versionId,
    dumped: true,
  };
}
