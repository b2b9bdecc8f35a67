# Keys, files beside the output, the text in a key; --license overrides and says what it replaced.
cp -r "$root"/demo m && printf 'a notice\n' > m/NOTICE && printf 'a policy\n' > m/USE_POLICY.md && mkdir a b c d e
"$bantam" convert m -o a/x.gguf | grep license; ls a; cmp m/LICENSE a/LICENSE
"$bantam" convert m -o b/x.gguf -q --no-license-files; ls b
"$bantam" convert m -o c/x.gguf -q --with-license-text --license qwen; "$bantam" inspect c/x.gguf --verbose | grep -a 'license\.\|general.license '
printf 'other\n' > d/LICENSE; "$bantam" convert m -o d/x.gguf -q; ls d; cat d/LICENSE
"$bantam" convert m -o e/dir -q --license 'LicenseRef-my own'; ls e/dir; cat e/dir/README.md | sed -n 1,8p
mkdir m/LICENSES && printf 'a part\n' > m/LICENSES/MIT.txt; "$bantam" convert m -o a/y.gguf -q; "$bantam" convert m -o a/dir -q; cat a/LICENSES/MIT.txt a/dir/LICENSES/MIT.txt
"$bantam" convert a/y.gguf -o a/back -q; ls a/back/LICENSES; "$bantam" convert m -o a/bare -q --no-license-files; ls -d a/bare/LICENSES 2>&-; rm -r m/LICENSES
"$bantam" convert c/x.gguf -o e/back -q; ls e/back; cat e/back/README.md
"$bantam" convert m -o e/bare -q --no-license-files; ls e/bare
rm m/LICENSE m/NOTICE m/USE_POLICY.md
"$bantam" convert m -o e/y.gguf -q --with-license-text; echo $?
"$bantam" convert m -o e/z.gguf -q --license 'a/b'; echo $?
