import { printable } from '../bytes/printable.ts';

/** An annotation as GitHub's runners read it from the output of a job ("Workflow commands for GitHub Actions"). */
export interface GithubAnnotation {
  readonly kind: 'error' | 'warning' | 'notice';
  readonly title: string;
  readonly message: string;
  /** Where it is shown; without, it is of the job. */
  readonly file?: string | undefined;
  /** From 1 on. */
  readonly line?: number | undefined;
}

export function githubLine({ kind, title, message, file, line }: GithubAnnotation): string {
  const properties = [
    ...(file === undefined ? [] : [`file=${githubProperty(file)}`]),
    ...(line === undefined ? [] : [`line=${line}`]),
    `title=${githubProperty(title)}`,
  ];
  return `::${kind} ${properties.join(',')}::${githubText(message)}`;
}

function githubText(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function githubProperty(text: string): string {
  return githubText(printable(text)).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

/** A row of GitLab's Code Quality report (artifacts:reports:codequality). */
export interface GitlabIssue {
  readonly description: string;
  readonly check_name: string;
  /** GitLab shows one of each. */
  readonly fingerprint: string;
  readonly severity: 'critical' | 'minor' | 'info';
  readonly location: { readonly path: string; readonly lines: { readonly begin: number } };
}

/** One of each fingerprint, the first. */
export function distinctIssues(issues: Iterable<GitlabIssue>): GitlabIssue[] {
  const found = new Map<string, GitlabIssue>();
  for (const issue of issues) if (!found.has(issue.fingerprint)) found.set(issue.fingerprint, issue);
  return [...found.values()];
}
