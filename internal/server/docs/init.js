// Every feature of the viewer that would talk to anybody but this server is off; the page's Content-Security-Policy
// would stop it as well.
Scalar.createApiReference('#app', {
  url: '/openapi.json',
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  showDeveloperTools: 'never',
  agent: { disabled: true },
  mcp: { disabled: true },
  documentDownloadType: 'direct',
  persistAuth: false,
  // The contract's own order tells a story; the alphabet does not.
  orderSchemaPropertiesBy: 'preserve',
  showOperationId: true,
});
