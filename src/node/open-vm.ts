import { SchemaTables } from '../layout/tables.ts';
import { openVm as openVmOf, type Vm, type VmOptions } from '../vm/vm.ts';
import { openInput } from './open-input.ts';
import { packagedSchemas } from './packaged-schemas.ts';
import { insideContainers, openVmInput, type VmPlace } from './vm-input.ts';

/** A VM whose files are open. */
export interface FileVm extends Vm {
  /** Closes them: to read anything of the VM after that is a `bad-argument`. */
  close(): Promise<void>;
}

export interface FileVmOptions extends Omit<VmOptions, 'channels' | 'containers' | 'diagnostics'>, VmPlace {
  /** The QEMU binary that wrote the stream, which is not run; a schema file, or a built-in schema such as `7.2-x86_64`. */
  readonly qemu?: string | undefined;
}

/**
 * Opens the stream in a file as the commands do: FILE is a path, `-` for standard input, or `disk.qcow2#NAME`; containers
 * are opened, and where nothing describes the device state, built-in tables are chosen. Throws DecodeError.
 */
export async function openVm(file: string, options: FileVmOptions = {}): Promise<FileVm> {
  const { channel, offset, qemu, ...rest } = options;
  const tables = qemu === undefined ? {} : { tables: await tablesOf(qemu) };
  const { signal } = options;
  // Containers are decompressed before there is a stream to be read.
  const onProgress = () => {
    if (signal?.aborted) throw signal.reason;
  };
  onProgress();
  const input = await openVmInput(file, { channel, offset }, (path, how) =>
    openInput(path, { ...how, onProgress }),
  );
  try {
    const vm = await openVmOf(input.source, {
      schemas: packagedSchemas,
      ...input.description,
      ...tables,
      ...rest,
      ...input.openOptions,
    });
    const close = async () => {
      await vm.memory?.close();
      await input.close();
    };
    return { ...vm, close };
  } catch (error) {
    await input.close();
    throw insideContainers(error, input);
  }
}

/** The tables of a QEMU binary, a schema file or a built-in schema. Throws DecodeError. */
export async function tablesOf(path: string): Promise<SchemaTables> {
  // Loaded only here: most streams describe themselves.
  const { openSchema } = await import('./schema-file.ts');
  return new SchemaTables(await openSchema(path));
}
