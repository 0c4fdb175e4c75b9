import { walk } from '../../src/layout/children.ts';
import { streamInfo } from '../../src/ops/info.ts';
import { dumpText } from '../../src/render/dump-text.ts';
import { infoText } from '../../src/render/info-text.ts';
import { ndjsonLine } from '../../src/render/ndjson.ts';
import { plainStyle } from '../../src/render/style.ts';
import type { Decoded } from './decode.ts';

/** Everything that `info` and `dump` print; lines of JSON that are none are in it behind a NUL. */
export async function print({ opened, sections }: Decoded): Promise<string[]> {
  const style = { style: plainStyle, width: 100 };
  const lines = [...infoText(await streamInfo(opened), { ...style, sort: 'name', depth: 9 })];
  for (const { layout } of sections) {
    lines.push(...dumpText(layout, { ...style, offsets: true, raw: true, full: false }));
    for (const { node, path } of walk(layout.root)) {
      const text = [...ndjsonLine(layout, node, path)].join('');
      const line = JSON.parse(text);
      lines.push(text.trimEnd());
      if (!(line.size >= 0)) lines.push(`\u0000 ${line.path}`);
    }
  }
  return lines;
}

/** The same, of one output, as problems. */
export function printProblems(output: string, lines: readonly string[]): string[] {
  return unprintable(lines).map((line) => `printed by ${output}: ${JSON.stringify(line)}`);
}

/** A stream can neither move the cursor of a terminal nor begin a line of its own. */
export function unprintable(lines: readonly string[]): string[] {
  return lines.filter((line) => /[\p{C}\p{Zl}\p{Zp}]/u.test(line));
}
