import { badArgument, printable } from '../bytes/diagnostic.ts';
import type { RamReport } from '../ops/ram-report.ts';
import type { PageUsage } from '../ram/page-usage.ts';
import { drawRamMap } from '../render/ram-map.ts';
import { drawingSvg } from '../render/svg.ts';
import { writeOutput } from './output.ts';
import { drawingPng } from './png.ts';

/** Whether a map can be drawn into a file of this name. */
export function isRamMapName(file: string): boolean {
  return /\.(svg|png)$/i.test(file);
}

/**
 * Draws the heat map of a guest's memory into a file, as SVG or PNG by its name. A file that exists is replaced. Throws
 * OutputError, and DecodeError `bad-argument` for another name.
 */
export async function writeRamMap(file: string, report: RamReport, usage: PageUsage): Promise<void> {
  if (!isRamMapName(file)) throw badArgument(`${printable(file)} ends neither in .svg nor in .png`);
  const drawing = drawRamMap(report, usage);
  const content = file.toLowerCase().endsWith('.png') ? drawingPng(drawing) : drawingSvg(drawing);
  await writeOutput(file, [content], 'replace');
}
