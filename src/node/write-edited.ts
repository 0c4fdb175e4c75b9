import { concatenatedSource } from '../bytes/concatenated.ts';
import { type Diagnostic, editRefused, formatDiagnostic } from '../bytes/diagnostic.ts';
import { sliceSource } from '../bytes/slice.ts';
import type { FinishedSource } from '../bytes/source.ts';
import type { CompressionFormat } from '../containers/container.ts';
import { libvirtSaveImage } from '../containers/libvirt-save.ts';
import type { EditedStream } from '../edit/apply-edits.ts';
import type { OpenedStream } from '../layout/open.ts';
import { openVm, type Vm, type VmOptions } from '../vm/vm.ts';
import { openCompressor } from './compress.ts';
import { fillOutput, writeFully } from './output.ts';
import { packagedSchemas } from './packaged-schemas.ts';
import { readRanges } from './read-ranges.ts';
import { writeSource } from './write-source.ts';
import { checkCompressed, writtenFile } from './written-file.ts';

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

/**
 * Writes an edited stream into a new file, which appears when it is whole. That of a save image is in one again, with the
 * same header, XML and cookie, compressed by the same program, and is the same to the byte where nothing was changed; of a
 * snapshot or a compressed file it is the stream alone. `file` is the path of the file that the VM was opened of, if it is
 * one. Returns how many bytes were written. Throws OutputError, also when there is such a file already; DecodeError `io`
 * where there is no program that compresses.
 */
export async function writeEdited(
  path: string,
  { containers, source }: Pick<Vm, 'containers' | 'source'>,
  edited: Pick<EditedStream, 'source'>,
  file?: string,
): Promise<number> {
  const at = containers.findLastIndex(({ kind }) => kind === libvirtSaveImage.kind);
  const image = containers[at]?.source;
  if (!image) return writeSource(path, edited.source, containers.length === 0 ? file : undefined);
  const model = at === 0 ? file : undefined;
  if (edited.source === source) return writeSource(path, image, model);
  const [compression] = containers.slice(at + 1);
  // The stream reaches to the end of the image.
  const head = sliceSource(image, 0, image.size - (compression?.source ?? source).size);
  if (!compression) return writeSource(path, concatenatedSource([head, edited.source]), model);
  return writeCompressed(path, head, edited.source, compression.kind as CompressionFormat);
}

function writeCompressed(
  path: string,
  head: FinishedSource,
  content: FinishedSource,
  format: CompressionFormat,
): Promise<number> {
  return fillOutput(path, 'keep', async ({ fd, isSequential }) => {
    for await (const piece of readRanges(head, [{ start: 0, end: head.size }])) writeFully(fd, piece);
    const compressor = openCompressor(format, fd);
    try {
      for await (const piece of readRanges(content, [{ start: 0, end: content.size }]))
        await compressor.write(piece);
      await compressor.end();
    } finally {
      compressor.abandon();
    }
    if (isSequential) return head.size + content.size;
    const written = writtenFile(fd, path);
    await checkCompressed(sliceSource(written, head.size), format, content.size);
    return written.size;
  });
}
