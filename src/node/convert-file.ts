import { badArgument, printable } from '../bytes/diagnostic.ts';
import type { FinishedSource } from '../bytes/source.ts';
import type { CompressionFormat } from '../containers/container.ts';
import { writeSaveImageHead } from '../containers/libvirt-save.ts';
import { unwrap } from '../containers/open.ts';
import { type OpenedStream, openStream } from '../layout/open.ts';
import { conversionProblem } from '../ops/conversion-problem.ts';
import { type Conversion, type ConvertOptions, convertStream } from '../ops/convert.ts';
import type { Vm } from '../vm/vm.ts';
import { openCompressor } from './compress.ts';
import { convertToMappedRam } from './convert-mapped-ram.ts';
import { nodeEnvironment } from './decompress.ts';
import { fillOutput, writeFully } from './output.ts';
import { checkCompressed, writtenFile, wronglyWritten } from './written-file.ts';

/** What a stream is converted to: in each, but for mapped-ram, it is a plain one. */
export const conversionFormats = ['plain', 'mapped-ram', 'libvirt', 'gzip', 'zstd'] as const;
export type ConversionFormat = (typeof conversionFormats)[number];

export interface ConvertFileOptions extends ConvertOptions {
  /** `plain` unless it is given. */
  readonly to?: ConversionFormat | undefined;
  /** Of a save image: the domain's XML, in place of the one that the VM was found with. */
  readonly xml?: string | undefined;
  /** Of a save image: whether the guest is to run when it is restored; as it was in one, else it is not. */
  readonly isRunning?: boolean | undefined;
}

/**
 * Writes a VM that was opened with its memory into a new file (see `convertStream`). What was written is read once more,
 * and compared with what it was made of, before the file gets its name; of a pipe, nothing is. Returns what was written
 * of the stream, without what it is wrapped in. Throws OutputError, also when the file exists already; what
 * `convertStream` throws; DecodeError `bad-argument` for a save image without XML, and `io` where there is no program that
 * compresses. Then nothing is left.
 */
export function convertFile(
  vm: Vm,
  path: string,
  { to = 'plain', xml, isRunning, ...options }: ConvertFileOptions = {},
): Promise<Conversion> {
  return fillOutput(path, 'keep', async ({ fd, isSequential }) => {
    if (to === 'mapped-ram') {
      if (isSequential)
        throw badArgument(`${printable(path)} is written from its start to its end: mapped-ram needs a file`);
      const conversion = await convertToMappedRam(vm, fd, options);
      await checkWritten(vm, writtenFile(fd, path), conversion);
      return conversion;
    }
    if (to === 'gzip' || to === 'zstd') {
      const conversion = await compressInto(vm, fd, to, options);
      if (!isSequential) await checkCompressed(writtenFile(fd, path), to, conversion.size);
      return conversion;
    }
    if (to === 'libvirt') writeFully(fd, saveImageHead(vm, xml, isRunning));
    const conversion = await convertStream(vm, (bytes) => writeFully(fd, bytes), options);
    if (!isSequential) await checkWritten(vm, writtenFile(fd, path), conversion);
    return conversion;
  });
}

function saveImageHead(
  { containers }: Vm,
  xml: string | undefined,
  isRunning: boolean | undefined,
): Uint8Array {
  const image = containers.find((layer) => layer.xml !== undefined);
  const domain = xml ?? image?.xml;
  if (domain === undefined)
    throw badArgument(
      'a save image has the XML of a domain in it, and the stream came with none: --xml names a file',
    );
  return writeSaveImageHead({
    xml: domain,
    cookie: image?.cookie,
    isRunning: isRunning ?? image?.details['state'] === 'running',
  });
}

async function compressInto(
  vm: Vm,
  fd: number,
  format: CompressionFormat,
  options: ConvertOptions,
): Promise<Conversion> {
  const compressor = openCompressor(format, fd);
  try {
    const conversion = await convertStream(vm, compressor.write, options);
    await compressor.end();
    return conversion;
  } finally {
    compressor.abandon();
  }
}

async function checkWritten(vm: OpenedStream, file: FinishedSource, conversion: Conversion): Promise<void> {
  const { source, close } = await unwrap(file, nodeEnvironment());
  const problem = await conversionProblem(vm, await openStream(source), conversion).finally(close);
  if (problem !== undefined) throw wronglyWritten(file, problem);
}
