# The package's addon for `node-gyp rebuild` in the repository. The targets are in native/binding.gyp, which the published
# package carries in place of this file: npm builds by itself whatever has a binding.gyp in its root.
{
  'targets': [
    {
      'target_name': 'addon',
      'type': 'none',
      'dependencies': ['native/binding.gyp:blasnet'],
    },
  ],
}
