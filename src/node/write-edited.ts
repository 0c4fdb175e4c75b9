import { type Diagnostic, editRefused, formatDiagnostic } from '../bytes/diagnostic.ts';
import type { EditedStream } from '../edit/apply-edits.ts';
import type { OpenedStream } from '../layout/open.ts';
import { openVm, type Vm, type VmOptions } from '../vm/vm.ts';
import { packagedSchemas } from './packaged-schemas.ts';

/**
 * Opens a stream that was edited, as `opened` was, before it is written. Throws DecodeError `edit-refused` for one that has
 * errors which the stream that it was made of does not have, unless that is forced.
 */
export async function openEdited(
  opened: OpenedStream,
  { source }: EditedStream,
  { force = false, ...options }: VmOptions & { readonly force?: boolean | undefined } = {},
): Promise<Vm> {
  const { tables, infos } = opened;
  const vm = await openVm(source, {
    schemas: packagedSchemas,
    ...(tables ? { tables } : {}),
    infos,
    ...options,
  });
  const before = new Set(opened.diagnostics.map(kindOf));
  const [added] = vm.diagnostics.filter((each) => each.severity === 'error' && !before.has(kindOf(each)));
  if (added && !force) throw editRefused(`what would be written is damaged: ${formatDiagnostic(added)}`);
  return vm;
}

function kindOf({ code, section, instanceId, message }: Diagnostic): string {
  return JSON.stringify([code, section, instanceId, message]);
}
