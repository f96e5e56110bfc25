/** The scripts that the pool serves: a page, one that keeps things in APCu, and one that resizes a picture with ImageMagick. */
export const PAGES: Readonly<Record<string, string>> = {
  'page.php': `<?php
$seed = (int) ($_GET['n'] ?? 1);
mt_srand($seed);
$rows = [];
for ($i = 0; $i < 400 + 40 * ($seed % 7); $i++) {
  $rows["key $i"] = ['id' => $i, 'title' => str_repeat(chr(97 + mt_rand(0, 25)), mt_rand(10, 400)), 'tags' => range(0, mt_rand(1, 20))];
}
uasort($rows, fn ($x, $y) => strcmp($x['title'], $y['title']));
$html = '';
foreach ($rows as $key => $row) $html .= '<li>' . htmlspecialchars($key . $row['title']) . implode(',', $row['tags']) . '</li>';
$text = preg_replace_callback('/(\\w)\\1+/', fn ($m) => $m[1] . strlen($m[0]), $html);
echo strlen(json_encode($rows)), ' ', strlen($text), ' ', md5($text);
`,
  'cache.php': `<?php
$n = (int) ($_GET['n'] ?? 1);
mt_srand($n);
$found = apcu_fetch("row " . ($n % 37), $isThere);
$value = $isThere ? $found : [];
for ($i = 0; $i < 60; $i++) $value["field $i"] = str_repeat('v', mt_rand(20, 900));
apcu_store("row $n", $value);
echo $isThere ? 'hit' : 'miss', ' ', count($value);
`,
  'picture.php': `<?php
$n = (int) ($_GET['n'] ?? 1);
$picture = new Imagick();
$picture->newPseudoImage(900 + 60 * ($n % 5), 700 + 40 * ($n % 3), 'plasma:red-blue');
$picture->resizeImage(320, 240, Imagick::FILTER_LANCZOS, 1);
$picture->setImageFormat('jpeg');
$blob = $picture->getImageBlob();
$picture->clear();
echo strlen($blob) > 1000 ? 'picture' : 'nothing';
`,
};
