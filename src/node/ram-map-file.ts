import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import type { RamReport } from '../ops/ram-report.ts';
import type { PageUsage } from '../ram/page-usage.ts';
import { drawRamMap } from '../render/ram-map.ts';
import { drawingSvg } from '../render/svg.ts';
import { drawingPng } from './png.ts';

/** Draws the heat map of a guest's memory into a file, as SVG or PNG by its name. Nothing half-written has that name. */
export async function writeRamMap(file: string, report: RamReport, usage: PageUsage): Promise<void> {
  const drawing = drawRamMap(report, usage);
  const content = file.toLowerCase().endsWith('.png') ? drawingPng(drawing) : drawingSvg(drawing);
  const temporary = `${file}.${randomBytes(6).toString('hex')}.part`;
  try {
    await writeFile(temporary, content, { flag: 'wx' });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
