import { DecodeError } from '../bytes/diagnostic.ts';
import type { FinishedSource } from '../bytes/source.ts';
import type { CaptureKnowledge } from '../check/capture.ts';
import { profile as profileContainer } from '../containers/profile.ts';
import type { VmOptions } from '../vm/vm.ts';
import { type Input, type InputOptions, openInput } from './open-input.ts';

/** Where the stream of a VM is. */
export interface VmPlace {
  /** Files of the migration's further connections, or patterns of the shell. */
  readonly channel?: readonly string[] | undefined;
  /** Where in the file the stream, or the container that it is in, begins. */
  readonly offset?: number | undefined;
}

/** A stream that was found in a file, and the files of its channels. */
export interface VmInput {
  readonly source: FinishedSource;
  /** How it is opened, by what is known of it from outside. */
  readonly openOptions: Pick<
    VmOptions,
    'channels' | 'pagesLeftOut' | 'containers' | 'diagnostics' | 'sender'
  >;
  /** What the file has to describe its stream, where it is not told otherwise. */
  readonly description: Pick<VmOptions, 'tables'>;
  close(): Promise<void>;
}

/** Opens FILE as the commands take it, by `open`, and the channels that belong to it. Throws DecodeError. */
export async function openVmInput(
  file: string,
  { channel, offset }: VmPlace,
  open: (file: string, options: InputOptions) => Promise<Input> = openInput,
): Promise<VmInput> {
  const input = await open(file, { offset });
  let channels: readonly Input[] = [];
  const close = async () => {
    for (const each of [input, ...channels]) await each.close();
  };
  let capture: CaptureKnowledge = {};
  try {
    capture = await captureKnowledge(input, file);
    if (channel) {
      const { openChannels } = await import('./channel-files.ts');
      channels = await openChannels(channel);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    source: input.source,
    openOptions: {
      ...(channel ? { channels: channels.map(({ source }) => source) } : {}),
      sender: capture.sender,
      pagesLeftOut: input.layers.some(({ kind }) => kind === profileContainer.kind),
      containers: input.layers,
      diagnostics: [input, ...channels].flatMap(({ diagnostics }) => diagnostics),
    },
    description: capture.tables ? { tables: capture.tables } : {},
    close,
  };
}

/** What a capture tells of the VM beside its stream. Throws DecodeError `bad-profile`. */
async function captureKnowledge({ layers }: Input, file: string): Promise<CaptureKnowledge> {
  const text = layers.find(({ capture }) => capture !== undefined)?.capture;
  if (text === undefined) return {};
  // Loaded only here: most files are no captures.
  const { parseProfile } = await import('../check/profile.ts');
  const { knowledgeOfCapture } = await import('../check/capture.ts');
  return knowledgeOfCapture(parseProfile(text, file));
}

/** Says of what is no stream in which containers it was found. */
export function insideContainers(error: unknown, { openOptions }: VmInput): unknown {
  const layers = openOptions.containers ?? [];
  if (!(error instanceof DecodeError) || error.code !== 'not-a-stream' || layers.length === 0) return error;
  const { diagnostic, source } = error;
  const place = layers.map(({ kind }) => kind).join(', in it ');
  return new DecodeError(
    { ...diagnostic, message: `inside the ${place}: ${diagnostic.message}` },
    { cause: error, ...(source === undefined ? {} : { source }) },
  );
}
