"""What all boards freeze: the device library and the default application, which main.py starts."""

package("wamp", base_path="lib")
package("wampapp", base_path="app")
