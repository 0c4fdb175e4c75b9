import type { OpenedStream } from '../layout/open.ts';
import { analyzedSections } from '../ops/analyze-migration.ts';
import { describe } from '../ops/describe.ts';
import { pythonJson, pythonJsonChunks } from './python-json.ts';

/** What `analyze-migration.py -d state` prints, in chunks of text. */
export async function* analyzeMigrationState(opened: OpenedStream): AsyncGenerator<string> {
  yield* pythonJsonChunks(analyzedSections(opened));
  yield '\n';
}

/** What `analyze-migration.py -d desc` prints; undefined where the stream has no vmdesc. */
export async function analyzeMigrationDesc(opened: OpenedStream): Promise<string | undefined> {
  const { vmdesc } = await describe(opened);
  return vmdesc && `${pythonJson(vmdesc)}\n`;
}
