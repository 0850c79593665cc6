"""What tests look at: contrast, names, pictures."""
import base64
import os
import pathlib

from selenium.webdriver.common.by import By

CONTROLS = "button, input, select, textarea, a[href], summary, dialog[open], [role=option], [role=listbox], [role=img]"

# For every visible text (of the topmost dialog, when one is open) the contrast with its ground.
CONTRAST = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgba = (colour) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const over = (top, below) => top.slice(0, 3).map((c, i) => c * top[3] + below[i] * (1 - top[3]));
const light = (rgb) => {
  const [r, g, b] = rgb.map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (element) => {
  if (!element) return [255, 255, 255];
  const colour = rgba(getComputedStyle(element).backgroundColor);
  if (colour[3] === 1) return colour.slice(0, 3);
  return over(colour, ground(element.parentElement));
};
const modal = [...document.querySelectorAll('dialog[open]')].pop();
const bad = [];
const walker = document.createTreeWalker(modal ?? document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('script, style, noscript, .hidden, .skip')) continue;
  const bar = element.closest('.search-bar')?.querySelector('.bar');
  const grounds = [ground(element), ...(bar ? [ground(bar)] : [])];
  for (const below of grounds) {
    const text = over(rgba(getComputedStyle(element).color), below);
    const [a, b] = [light(text), light(below)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) bad.push(`${element.tagName}.${element.className} “${walker.currentNode.data.trim().slice(0, 30)}” ${ratio.toFixed(2)}`);
  }
}
return bad;
"""


def low_contrast(driver):
    """Visible texts that have less than 4.5 of contrast with what they stand on."""
    return driver.execute_script(CONTRAST)


def keep_picture(driver, request):
    """Keeps what the test saw, for people, when OMNI_PICTURES names a folder."""
    folder = os.environ.get("OMNI_PICTURES")
    if not folder:
        return
    picture = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    name = request.node.name.replace("[", "-").replace("]", "")
    (pathlib.Path(folder) / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))


def unnamed_controls(driver):
    """Visible controls without an accessible name; what lies under an open dialog is inert."""
    dialogs = driver.find_elements(By.CSS_SELECTOR, "dialog[open]")
    scope = dialogs[-1] if dialogs else driver
    return [control.get_attribute("outerHTML")[:120] for control in scope.find_elements(By.CSS_SELECTOR, CONTROLS)
            if control.is_displayed() and not control.accessible_name.strip()]
