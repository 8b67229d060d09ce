// @ts-check
// Debian's Chromium with an authenticator of software.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';

import { chromium as driver } from 'playwright-core';

import { folder } from './process.js';
import { chromium } from './tools.js';

const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

/** A browser that nobody has used. */
export function startBrowser() {
  const profile = mkdtempSync(join(folder, 'chromium-'));
  return driver.launchPersistentContext(profile, {
    executablePath: chromium,
    args: FLAGS,
    viewport: { width: 1280, height: 900 },
  });
}

/**
 * An authenticator that answers by itself.
 *
 * @param {import('playwright-core').Page} page
 */
export async function addAuthenticator(page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    credentials: async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
    /** @param {any} credential */
    add: (credential) => cdp.send('WebAuthn.addCredential', { authenticatorId, credential }),
    /** @param {string} credentialId */
    remove: (credentialId) => cdp.send('WebAuthn.removeCredential', { authenticatorId, credentialId }),
    /** @param {boolean} isUserVerified */
    verify: (isUserVerified) =>
      cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified }),
    /** @param {boolean} enabled */
    answer: (enabled) =>
      cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled }),
  };
}

/** @typedef {Awaited<ReturnType<typeof addAuthenticator>>} Authenticator */
