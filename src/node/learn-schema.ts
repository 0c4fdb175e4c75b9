import type { OpenedStream } from '../layout/open.ts';
import { type LearnedSchema, learnSchema } from '../ops/schema-learn.ts';
import { openVm } from '../vm/vm.ts';
import { openInput } from './open-input.ts';

/** Makes a schema of the streams in files, which are opened one after another. Throws what `learnSchema` throws. */
export function learnSchemaOfFiles(files: readonly string[]): Promise<LearnedSchema> {
  return learnSchema(describedStreams(files));
}

async function* describedStreams(files: readonly string[]): AsyncGenerator<OpenedStream> {
  for (const file of files) {
    const input = await openInput(file);
    try {
      yield await openVm(input.source);
    } finally {
      await input.close();
    }
  }
}
